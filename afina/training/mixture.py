"""Rows of several tasks as one list, each task's share set by a temperature.

A task of n rows has a share of ``n ** (1 / temperature)``: 1 takes every row once, infinity as many
rows of each task. Wang et al. 2023, https://arxiv.org/abs/2303.02861, after Raffel et al. 2020.
"""

from collections.abc import Sequence

import torch

from afina.soft.multitask_learner import MultiRead
from afina.soft.reading import Read


def counts(sizes: Sequence[int], temperature: float) -> list[int]:
    """How many rows of each task a pass has: every row is there, those of small tasks repeated.

    >>> counts([100, 400], 1.0), counts([100, 400], 2.0), counts([400], 2.0)
    ([100, 400], [200, 400], [400])
    """
    shares = [size ** (1 / temperature) for size in sizes]
    passes = max(size / share for size, share in zip(sizes, shares, strict=True))
    return [max(size, round(share * passes)) for size, share in zip(sizes, shares, strict=True)]


def mixed(tasks: Sequence[Sequence[Read]], temperature: float, *, seed: int) -> list[MultiRead]:
    """The rows of a pass, each with its task; which rows are repeated once more the seed draws."""
    generator = torch.Generator().manual_seed(seed)
    wanted = counts([len(rows) for rows in tasks], temperature)
    found: list[MultiRead] = []
    for task, (rows, count) in enumerate(zip(tasks, wanted, strict=True)):
        whole, more = divmod(count, len(rows))
        drawn = torch.randperm(len(rows), generator=generator)[:more].sort().values.tolist()
        places = [*list(range(len(rows))) * whole, *drawn]
        found += [MultiRead(rows[place], task, place) for place in places]
    return found
