"""A report beside another: the same rows without a part, and what the part bought."""

from dataclasses import replace

import pytest

from afina.errors import MismatchError
from afina.evaluation.without import RETRIEVAL, beside, bought
from afina.task.metrics import METRICS
from tests.evaluation.conftest import MakeReport

WANTED = ["a", "b"] * 50


def test_the_difference_is_the_paired_one(make_report: MakeReport) -> None:
    accuracy = METRICS["accuracy"]
    report = make_report(accuracy, WANTED, WANTED, split="dev")
    bare = beside(make_report(accuracy, WANTED, ["a"] * 100, split="dev"))
    assert bare.split == "dev" + RETRIEVAL
    found = bought(report, bare)
    assert (found.difference, found.verdict) == (0.5, "A better")
    assert found.low is not None
    assert found.high is not None
    assert 0.35 < found.low < 0.5 < found.high < 0.65
    less = bought(replace(bare, split="dev"), beside(report))
    assert (less.difference, less.verdict) == (-0.5, "B better")


def test_rows_that_either_lacks_are_set_aside(make_report: MakeReport) -> None:
    accuracy = METRICS["accuracy"]
    report = make_report(accuracy, WANTED, [None] * 98 + ["a", "b"], split="dev")
    bare = beside(make_report(accuracy, WANTED, WANTED, split="dev"))
    assert bought(report, bare).difference == 0.0
    nothing = bought(make_report(accuracy, WANTED, [None] * 100, split="dev"), bare)
    assert (nothing.difference, nothing.verdict[:11]) == (None, "cannot tell")


def test_other_examples_are_refused(make_report: MakeReport) -> None:
    accuracy = METRICS["accuracy"]
    report = make_report(accuracy, WANTED, WANTED, split="dev")
    with pytest.raises(MismatchError, match="expected reports of the same"):
        bought(report, beside(make_report(accuracy, WANTED[:9], WANTED[:9], split="dev")))
