"""Rows of several tasks in the shares that a temperature gives them."""

from collections import Counter

import pytest

from afina.soft.reading import Read
from afina.training.mixture import counts, mixed

SIZES = [7, 30, 200]


def rows(size: int, first: int) -> list[Read]:
    return [Read([first + number]) for number in range(size)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0, 1e9])
def test_shares_are_sizes_to_the_power_of_one_over_the_temperature(temperature: float) -> None:
    """Within a row of rounding. Broken by the temperature itself as the power."""
    found = counts(SIZES, temperature)
    shares = [size ** (1 / temperature) for size in SIZES]
    for count, share in zip(found, shares, strict=True):
        assert count == pytest.approx(share / sum(shares) * sum(found), abs=1.5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 1e9])
def test_every_row_of_every_task_is_in_a_pass(temperature: float) -> None:
    """Repeated evenly, and no row oftener than its task needs. Broken by cutting large tasks."""
    given = [rows(size, 1000 * number) for number, size in enumerate(SIZES)]
    found = mixed(given, temperature, seed=0)
    assert Counter(row.task for row in found) == dict(enumerate(counts(SIZES, temperature)))
    for task, own in enumerate(given):
        times = Counter(row.read.tokens[0] for row in found if row.task == task)
        assert set(times) == {read.tokens[0] for read in own}
        assert max(times.values()) - min(times.values()) <= 1
    assert all(row.read is given[row.task][row.place] for row in found)
    assert all(row.tokens == row.read.tokens for row in found)


def test_one_task_is_its_rows_as_they_are() -> None:
    """So a target alone is trained as any method trains it."""
    given = rows(9, 0)
    for temperature in (0.5, 2.0):
        assert [row.read for row in mixed([given], temperature, seed=0)] == given


def test_the_seed_draws_the_rows_that_are_repeated() -> None:
    given = [rows(7, 0), rows(10, 100)]
    one, same, other = (mixed(given, 1e9, seed=seed) for seed in (0, 0, 1))
    assert one == same
    assert one != other
