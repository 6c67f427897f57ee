"""A report knows its answers, whether it is complete, and what it may stand beside."""

import doctest
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import MismatchError
from afina.evaluation.report import Report, check_same_examples
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]


def test_answers_keep_what_is_falsy(accuracy: Metric, make_report: MakeReport) -> None:
    report = make_report(accuracy, ["a"] * 4, ["", False, 0, None])
    assert report.answers == ["", False, 0, None]


@pytest.mark.parametrize(("missing", "complete"), [(0, True), (2, True), (3, False)])
def test_over_one_percent_missing_is_incomplete(
    accuracy: Metric, make_report: MakeReport, missing: int, complete: bool
) -> None:
    report = make_report(accuracy, ["a"] * 200, [None] * missing + ["a"] * (200 - missing))
    assert report.complete is complete
    assert report.score == 1.0


def test_reports_of_the_same_examples_may_stand_together(
    accuracy: Metric, make_report: MakeReport
) -> None:
    check_same_examples([make_report(accuracy, ["a", "b"], ["a", None]) for _ in range(3)])
    check_same_examples([])


def test_other_examples_are_refused_by_place(accuracy: Metric, make_report: MakeReport) -> None:
    report = make_report(accuracy, ["a", "b"], ["a", "b"])
    turned = replace(report, rows=report.rows[::-1])
    with pytest.raises(MismatchError, match="came 'x0' and 'x1' at place 0"):
        check_same_examples([report, turned])


@pytest.mark.parametrize(
    "change", [{"metric": "mcc"}, {"split": "test"}, {"field": "other"}, {"n": 3}]
)
def test_reports_made_otherwise_are_refused(
    accuracy: Metric, make_report: MakeReport, change: dict[str, str]
) -> None:
    report = make_report(accuracy, ["a", "b"], ["a", "b"])
    with pytest.raises(MismatchError, match=f"same {next(iter(change))}"):
        check_same_examples([report, make_report(accuracy, ["a", "b"], ["a", "b"], **change)])


def test_the_page_s_examples_run() -> None:
    page = Path(__file__).parents[2] / "docs" / "report.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.failed == 0
    assert result.attempted > 0
