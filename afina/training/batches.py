"""Batches of rows of like length, in an order that a seed decides."""

from collections.abc import Sequence

import torch

POOL = 50  # batches' worth of rows that are sorted together


def plan(lengths: Sequence[int], size: int, generator: torch.Generator) -> list[list[int]]:
    """One pass over all rows as batches of places.

    Rows are shuffled, sorted by length within pools of ``POOL`` batches so that little is padding,
    cut into batches, and the batches shuffled.
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL * size):
        pool = sorted(order[start : start + POOL * size], key=lambda place: lengths[place])
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
