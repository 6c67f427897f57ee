"""A pass takes every row once, in an order that the generator alone decides."""

import pytest
import torch

from afina.training.batches import POOL, plan

LENGTHS = [(7 * number) % 40 for number in range(1003)]


def batches(seed: int, lengths: list[int] = LENGTHS, size: int = 8) -> list[list[int]]:
    return plan(lengths, size, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [1, 8, 1003, 2000])
def test_every_row_is_in_one_batch(size: int) -> None:
    found = batches(0, size=size)
    assert sorted(place for batch in found for place in batch) == list(range(1003))
    assert all(1 <= len(batch) <= size for batch in found)
    assert len(found) == -(-1003 // size)


def test_a_seed_gives_one_order_and_another_seed_another() -> None:
    assert batches(0) == batches(0)
    assert batches(0) != batches(1)


def test_the_second_pass_of_a_generator_is_another_order() -> None:
    generator = torch.Generator().manual_seed(0)
    assert plan(LENGTHS, 8, generator) != plan(LENGTHS, 8, generator)


def test_rows_of_a_batch_are_of_like_length() -> None:
    """Broken by cutting the batches before the pool is sorted."""
    padding = sum(
        max(LENGTHS[place] for place in batch) * len(batch) - sum(LENGTHS[place] for place in batch)
        for batch in batches(0)
    )
    assert padding < 0.05 * sum(LENGTHS)


def test_short_rows_do_not_come_before_long_ones() -> None:
    """Broken by leaving the batches of a pool in the order of their length."""
    first = [LENGTHS[batch[0]] for batch in batches(0)[:POOL]]
    assert first != sorted(first)
    assert first != sorted(first, reverse=True)
