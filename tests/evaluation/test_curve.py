"""Two learning curves cross where they were made to, within the interval."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from afina.evaluation.curve import Crossing, Sized, crossed, crossing
from afina.evaluation.report import Report
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]
N = 600


def line(
    make: MakeReport, metric: Metric, label: str, scores: Mapping[int, float], seed: int = 0
) -> Sized:
    """A curve of given scores, on examples that are hard for all methods alike."""
    hardness = np.random.default_rng(seed).permutation(N) / N
    return Sized(
        label,
        {
            size: (make(metric, ["a"] * N, ["a" if h < score else "b" for h in hardness]),)
            for size, score in scores.items()
        },
    )


def test_curves_cross_where_they_were_made_to(accuracy: Metric, make_report: MakeReport) -> None:
    written = line(make_report, accuracy, "few-shot", {16: 0.7, 64: 0.7, 256: 0.7})
    tuned = line(make_report, accuracy, "prompt-tuning", {16: 0.5, 64: 0.6, 256: 0.8}, seed=1)
    found = crossing(accuracy, tuned, written)
    assert isinstance(found, Crossing)
    assert (found.a, found.b) == ("few-shot", "prompt-tuning")
    # The gap goes from 0.1 at 64 to -0.1 at 256: half-way on the scale of doublings.
    assert found.examples == pytest.approx(128, rel=0.02)
    assert found.low is not None
    assert found.high is not None
    assert 64 < found.low < 128 < found.high < 256


def test_the_order_of_the_curves_does_not_matter(accuracy: Metric, make_report: MakeReport) -> None:
    one = line(make_report, accuracy, "a", {16: 0.7, 256: 0.7})
    other = line(make_report, accuracy, "b", {16: 0.5, 256: 0.9}, seed=1)
    first, second = crossing(accuracy, one, other), crossing(accuracy, other, one)
    assert first is not None
    assert second is not None
    assert (first.a, first.b) == (second.a, second.b) == ("a", "b")
    assert first.examples == pytest.approx(second.examples)


def test_a_bound_outside_the_sizes_is_none(accuracy: Metric, make_report: MakeReport) -> None:
    one = line(make_report, accuracy, "a", {16: 0.70, 256: 0.70})
    other = line(make_report, accuracy, "b", {16: 0.5, 256: 0.71}, seed=1)
    found = crossing(accuracy, one, other)
    assert found is not None
    assert found.low is not None
    assert found.high is None


@pytest.mark.parametrize("high", [0.5, 0.7])
def test_curves_that_do_not_cross_have_no_crossing(
    accuracy: Metric, make_report: MakeReport, high: float
) -> None:
    one = line(make_report, accuracy, "a", {16: 0.8, 256: 0.8})
    other = line(make_report, accuracy, "b", {16: 0.4, 256: high})
    assert crossing(accuracy, one, other) is None


def test_one_size_is_no_curve(accuracy: Metric, make_report: MakeReport) -> None:
    one = line(make_report, accuracy, "a", {16: 0.8})
    assert crossing(accuracy, one, one) is None


@pytest.mark.parametrize(
    ("gaps", "where"),
    [
        ([0.2, -0.2], 5.0),
        ([0.1, -0.1, 0.1, -0.3], 8.5),
        ([0.1, 0.2], math.inf),
        ([-0.1, -0.2], -math.inf),
        ([0.0, -0.2], 4.0),
    ],
)
def test_the_last_crossing_counts(gaps: list[float], where: float) -> None:
    assert crossed(np.array(gaps), [16, 64, 256, 1024][: len(gaps)]) == pytest.approx(where)
