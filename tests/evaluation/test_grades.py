"""Which examples a method fixes and breaks."""

from collections.abc import Callable

import pytest

from afina.evaluation.grades import change, grades
from afina.evaluation.report import Report
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]


def test_a_grade_is_the_mean_over_seeds(accuracy: Metric, make_report: MakeReport) -> None:
    reports = [
        make_report(accuracy, ["a", "a", "a"], answers)
        for answers in (["a", "b", None], ["b", "b", None])
    ]
    assert grades(reports) == (0.5, 0.0, None)


def test_an_answer_that_one_seed_lacks_is_graded_by_the_others(
    accuracy: Metric, make_report: MakeReport
) -> None:
    reports = [make_report(accuracy, ["a"], answers) for answers in ([None], ["a"])]
    assert grades(reports) == (1.0,)


def test_without_scores_of_its_own_an_example_is_right_or_wrong(
    macro_f1: Metric, make_report: MakeReport
) -> None:
    assert grades([make_report(macro_f1, ["a", "b"], ["a", "a"])]) == (1.0, 0.0)


@pytest.mark.parametrize("known", [(None, 1.0), (1.0, None)])
def test_only_what_both_answered_is_fixed_or_broken(known: tuple[float | None, ...]) -> None:
    found = change("a", "b", ["x", "y", "z"], (0.0, 1.0, known[0]), (1.0, 0.5, known[1]))
    assert (found.fixed, found.broken) == (("x",), ("y",))
    assert found.to_json() == {"a": "a", "b": "b", "fixed": ["x"], "broken": ["y"]}
