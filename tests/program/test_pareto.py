"""The Pareto front: who is best somewhere, and how often."""

import random

from afina.program.pareto import drawn, front


def test_a_candidate_best_nowhere_is_not_in_the_front() -> None:
    assert front({0: [1.0, 1.0, 0.0], 1: [1.0, 0.0, 0.0], 2: [0.0, 0.0, 1.0]}) == {0: 2, 2: 1}


def test_a_candidate_whose_best_rows_are_anothers_too_is_dominated() -> None:
    assert front({0: [1.0, 0.0], 1: [1.0, 1.0]}) == {1: 2}
    assert front({0: [1.0, 1.0], 1: [1.0, 1.0]}) in ({0: 2}, {1: 2})


def test_a_missing_score_counts_neither_way() -> None:
    assert front({0: [None, 0.0], 1: [0.0, None], 2: [None, None]}) == {0: 1, 1: 1}


def test_who_is_best_more_often_is_drawn_more_often() -> None:
    order = random.Random(0)
    draws = [drawn({3: 3, 7: 1}, order) for _ in range(4000)]
    assert 0.72 < draws.count(3) / 4000 < 0.78
