"""The best of many looks better than it is, by as much as the estimate says."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from afina.errors import InputError
from afina.evaluation.optimism import Optimism, matrix, means_on, optimism

Truth = NDArray[np.float64]
TRUTHS = {
    "all the same": np.full(20, 0.7),
    "spread out": np.linspace(0.6, 0.8, 20),
    "two": np.array([0.70, 0.72]),
    "fifty": np.random.default_rng(3).normal(0.7, 0.05, 50),
}


def draw(truth: Truth, n: int, generator: np.random.Generator) -> list[list[float]]:
    """Scores of 0 and 1 of candidates that find the same examples hard: [K, n]."""
    shared, own = generator.standard_normal(n), generator.standard_normal((len(truth), n))
    hardness = np.sqrt(0.5) * (shared + own)
    drawn: list[list[float]] = (hardness < stats.norm.ppf(truth)[:, None]).astype(float).tolist()
    return drawn


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("n", [100, 300])
def test_the_optimism_is_right_within_a_point_on_average(name: str, n: int) -> None:
    truth, generator = TRUTHS[name], np.random.default_rng(1)
    found: list[Optimism] = []
    for _ in range(120):
        found.append(optimism(draw(truth, n, generator), seed=len(found)))
    flattered = np.mean([each.score - truth[each.best] for each in found])
    told = np.mean([each.optimism for each in found])
    assert abs(told - flattered) < 0.01, (told, flattered)


def test_without_the_correction_the_score_is_off_by_points() -> None:
    generator = np.random.default_rng(0)
    found = [optimism(draw(np.full(20, 0.7), 100, generator)) for _ in range(40)]
    assert np.mean([each.score for each in found]) > 0.75
    assert abs(np.mean([each.expected for each in found]) - 0.7) < 0.015


def test_a_clear_winner_is_hardly_flattered() -> None:
    generator = np.random.default_rng(0)
    found = optimism(draw(np.array([0.5, 0.95, 0.5]), 300, generator))
    assert (found.best, found.sure, found.more) == (1, 1.0, 0)
    assert found.optimism < 0.005


def test_one_candidate_is_not_flattered() -> None:
    found = optimism([[1.0, 0.0] * 10])
    assert found == Optimism(0, 0.5, 0.0, 1.0, None, candidates=1, n=20)


def test_equal_candidates_cannot_be_told_apart_by_more_examples() -> None:
    found = optimism([[1.0, 0.0] * 10] * 2)
    assert (found.best, found.more) == (0, None)


def test_more_examples_are_what_the_formula_says() -> None:
    first = [1.0] * 60 + [0.0] * 40
    second = [1.0] * 50 + [0.0] * 45 + [1.0] * 5
    found = optimism([second, first])
    # The difference is 0.05 with a deviation of 0.386; 2.80 standard errors are needed.
    needed = (2.8016 * np.std(np.array(first) - second, ddof=1) / 0.05) ** 2
    assert found.more is not None
    assert needed - 100 <= found.more <= needed - 100 + 10


def test_a_missing_score_counts_neither_way() -> None:
    whole = [1.0, 0.0] * 10
    found = optimism([[None, *whole[1:]], whole])
    assert found.best == 1
    cells = matrix([[None, *whole[1:]]])
    assert means_on(cells, np.array([[True] * 3 + [False] * 17])).tolist() == [[0.5]]


def test_the_same_seed_gives_the_same_numbers() -> None:
    scores = draw(np.full(5, 0.6), 50, np.random.default_rng(0))
    assert optimism(scores, seed=3) == optimism(scores, seed=3)
    assert optimism(scores, seed=3) != optimism(scores, seed=4)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([], "came 0 on"),
        ([[1.0] * 7], "8 or more, came 1 on"),
        ([[1.0] * 8, [1.0] * 9], "came 2 on"),
        ([[None] * 8], "one without any"),
    ],
)
def test_scores_that_say_nothing_are_refused(scores: list[list[float | None]], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        optimism(scores)
