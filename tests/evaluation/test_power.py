"""The number of examples that shows a difference shows it four times in five."""

import numpy as np
import pytest

from afina.evaluation.power import deviation_of_shares, difference_shown, examples_needed


@pytest.mark.parametrize("difference", [0.03, 0.05])
def test_so_many_examples_show_the_difference_four_times_in_five(difference: float) -> None:
    deviation = deviation_of_shares(0.2, difference)
    n = examples_needed(difference, deviation)
    shares = [0.1 + difference / 2, 0.1 - difference / 2, 0.8]
    drawn = np.random.default_rng(0).multinomial(n, shares, size=4000)
    means = (drawn[:, 0] - drawn[:, 1]) / n
    errors = np.sqrt(((drawn[:, 0] + drawn[:, 1]) / n - means**2) / n)
    seen = (np.abs(means) > 1.96 * errors).mean()
    assert 0.78 < seen < 0.84  # the number is rounded up


def test_the_difference_shown_is_the_other_way_round() -> None:
    for n in (100, 1000, 10_000):
        shown = difference_shown(n, 0.4)
        assert n <= examples_needed(shown, 0.4) <= n * 1.1


def test_half_the_difference_needs_four_times_the_examples() -> None:
    assert examples_needed(0.01, 0.4) == pytest.approx(4 * examples_needed(0.02, 0.4), rel=0.05)


def test_a_stricter_level_needs_more() -> None:
    assert examples_needed(0.03, 0.4, 0.01) > examples_needed(0.03, 0.4, 0.05)
