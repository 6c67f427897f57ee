"""Equal methods are seldom called better than one another, however many are compared."""

from collections.abc import Callable

import numpy as np

from afina.evaluation.compare import Entry, verdicts
from afina.evaluation.report import Report
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]
SIMULATED = 150


def test_of_four_equal_methods_none_is_called_better_but_for_one_time_in_twenty(
    accuracy: Metric, make_report: MakeReport
) -> None:
    generator = np.random.default_rng(0)
    wrong = 0
    for seed in range(SIMULATED):
        shared = generator.standard_normal(100)
        entries = [
            Entry(
                name,
                "m",
                (0,),
                (
                    make_report(
                        accuracy,
                        ["a"] * 100,
                        [
                            "a" if hit else "b"
                            for hit in shared + generator.standard_normal(100) < 0.7
                        ],
                    ),
                ),
            )
            for name in "wxyz"
        ]
        found = verdicts(entries, list("wxyz"), accuracy, 199, seed)
        wrong += any("better" in each.verdict for each in found)
    assert wrong <= 0.05 * SIMULATED + 5  # 0.05 of them, and twice the error of counting


def test_without_correction_they_would_be_called_so_more_often(
    accuracy: Metric, make_report: MakeReport
) -> None:
    from itertools import combinations

    from afina.evaluation.statistics import paired

    generator = np.random.default_rng(0)
    wrong = 0
    for seed in range(60):
        shared = generator.standard_normal(100)
        reports = [
            make_report(
                accuracy,
                ["a"] * 100,
                ["a" if hit else "b" for hit in shared + generator.standard_normal(100) < 0.7],
            )
            for _ in range(4)
        ]
        pairs = [
            paired(accuracy, [a], [b], resamples=199, seed=seed)
            for a, b in combinations(reports, 2)
        ]
        wrong += any(each is not None and each.p <= 0.05 for each in pairs)
    assert wrong > 0.08 * 60


def test_seeds_that_differ_are_no_proof_of_a_better_method(
    accuracy: Metric, make_report: MakeReport
) -> None:
    generator, wrong = np.random.default_rng(0), 0
    for seed in range(60):
        shared = generator.standard_normal(100)
        entries = []
        for name in "wxyz":
            reports = []
            for shift in generator.normal(0, 0.3, 3):
                hits = shared + 0.5 * generator.standard_normal(100) < 0.7 + shift
                answers = ["a" if hit else "b" for hit in hits]
                reports.append(make_report(accuracy, ["a"] * 100, answers))
            entries.append(Entry(name, "m", (0, 1, 2), tuple(reports)))
        found = verdicts(entries, list("wxyz"), accuracy, 199, seed)
        wrong += any("better" in each.verdict for each in found)
    assert wrong <= 8  # by the exchange test alone they are 19
