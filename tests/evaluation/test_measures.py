"""Measures beside the metric: their mean over the answers that have them, with its interval."""

import pytest

from afina.evaluation.measures import MEASURES, measures, measures_of
from afina.evaluation.report import Row
from afina.evaluation.statistics import wilson
from afina.solver import Prediction
from afina.task.metrics import Metric
from tests.evaluation.conftest import MakeReport


def row(**numbers: float) -> Row:
    return Row("x", "a", Prediction({"label": "a"}, {MEASURES: numbers} if numbers else {}), 1.0)


def test_the_mean_is_over_the_answers_that_have_the_measure() -> None:
    first, second = measures([row(cites=1.0, faith=0.5), row(), row(cites=0.0), row(faith=0.0)])
    assert (first.name, first.mean, first.n) == ("cites", 0.5, 2)
    assert (second.name, second.mean, second.n) == ("faith", 0.25, 2)
    assert (first.low, first.high) == wilson(1, 2)
    assert measures([row(), row()]) == ()
    assert measures([]) == ()


def test_the_interval_holds_the_mean_and_narrows_with_rows() -> None:
    few, many = (measures([row(f=0.25), row(f=0.75)] * count)[0] for count in (5, 500))
    for each in (few, many):
        assert each.low < each.mean < each.high
    assert many.high - many.low < (few.high - few.low) / 5


def test_seeds_are_measured_together(accuracy: Metric, make_report: MakeReport) -> None:
    reports = [make_report(accuracy, ["a"], ["a"], rows=(row(f=number),)) for number in (0.0, 1.0)]
    (found,) = measures_of(reports)
    assert (found.mean, found.n) == (0.5, 2)


def test_a_measure_is_told_with_its_interval_and_n() -> None:
    (found,) = measures([row(f=0.5)] * 4)
    assert str(found) == "f 0.5000 [0.5000, 0.5000], n = 4"
    assert found.to_json() == {"mean": 0.5, "low": 0.5, "high": 0.5, "n": 4}


@pytest.mark.parametrize("given", [None, 3, ["cites"]])
def test_what_is_no_measure_is_left_alone(given: object) -> None:
    assert measures([Row("x", "a", Prediction(None, {MEASURES: given}), None)]) == ()
