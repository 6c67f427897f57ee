"""The uncertainty of a score is split into that of examples and that of seeds."""

from collections.abc import Callable

import numpy as np
import pytest

from afina.evaluation.report import Report
from afina.evaluation.variance import variance
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]


def drawn_reports(
    make: MakeReport, metric: Metric, seeds: list[float], hardness: float, n: int = 400
) -> list[Report]:
    """One report a seed, right on a share of examples, all finding the same ones hard."""
    generator = np.random.default_rng(0)
    shared = generator.random(n)
    return [
        make(metric, ["a"] * n, ["a" if hard < share else "b" for hard in shared * hardness])
        for share in seeds
    ]


def test_the_two_parts_are_what_they_were_made_of(
    accuracy: Metric, make_report: MakeReport
) -> None:
    reports = drawn_reports(make_report, accuracy, [0.70, 0.75, 0.80], 1.0)
    found = variance(accuracy, reports, "start and order")
    assert found is not None
    scores = [report.score for report in reports]
    assert found.seed == pytest.approx(np.std(scores, ddof=1))  # type: ignore[arg-type]
    assert found.examples == pytest.approx(np.sqrt(0.75 * 0.25 / 400), rel=0.15)
    share = found.share_of_seeds
    of_seeds = found.seed**2 / 3 if found.seed else 0.0
    assert share == pytest.approx(of_seeds / (of_seeds + found.examples**2))


def test_seeds_that_agree_have_no_part(accuracy: Metric, make_report: MakeReport) -> None:
    reports = drawn_reports(make_report, accuracy, [0.7, 0.7], 1.0)
    found = variance(accuracy, reports, "start and order")
    assert found is not None
    assert (found.seed, found.share_of_seeds) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("drawn", "seeds", "words"),
    [
        ("", 1, "nothing is drawn: another seed gives the same answers"),
        ("start and order", 1, "one seed: how much start and order matters cannot be told"),
        ("start and order", 2, "start and order move with the seed and cannot be told apart"),
    ],
)
def test_what_cannot_be_told_apart_is_said(
    accuracy: Metric, make_report: MakeReport, drawn: str, seeds: int, words: str
) -> None:
    found = variance(accuracy, drawn_reports(make_report, accuracy, [0.7] * seeds, 1.0), drawn)
    assert found is not None
    assert found.untold == words
    assert found.to_json()["untold"] == words


def test_without_answers_there_is_nothing_to_split(
    accuracy: Metric, make_report: MakeReport
) -> None:
    assert variance(accuracy, [], "start") is None
    assert variance(accuracy, [make_report(accuracy, ["a"] * 3, [None] * 3)], "start") is None
