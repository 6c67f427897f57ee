"""A comparison prints what DESIGN says, and judges only what may be judged."""

import doctest
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import InputError, MismatchError
from afina.evaluation.compare import Comparison, Entry, compare
from afina.evaluation.report import Report
from afina.solver import Usage
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]
WANTED = ["a", "b"] * 50


def right(count: int) -> list[str]:
    """Answers of which the first ones are right."""
    return [w if n < count else "c" for n, w in enumerate(WANTED)]


@pytest.fixture
def entries(accuracy: Metric, make_report: MakeReport) -> list[Entry]:
    tuned = tuple(
        make_report(accuracy, WANTED, right(count), openings=count - 88) for count in (90, 88, 92)
    )
    return [
        Entry("majority", "none", (0,), (make_report(accuracy, WANTED, right(50)),), ("run-a",)),
        Entry(
            "prompt-tuning",
            "builtin:minilm",
            (0, 1, 2),
            tuned,
            ("run-b", "run-c", "run-d"),
            tuning_seconds=60.0,
            tuning_usage=Usage(3, 1000, 1.0),
            parameters=640,
        ),
        Entry("gepa", "openai:x", (0,), (), error="the endpoint answers 401"),
    ]


@pytest.fixture
def comparison(entries: list[Entry], accuracy: Metric) -> Comparison:
    return compare(entries, accuracy, task="mr", resamples=500)


def test_the_json_has_exactly_these_keys(comparison: Comparison) -> None:
    found = comparison.to_json()
    needed = {"task", "metric", "split", "rows", "verdicts", "test_openings"}
    more = {"curves", "crossings", "break_even", "changes", "choice"}
    assert set(found) == needed | more
    rows, verdicts = found["rows"], found["verdicts"]
    assert isinstance(rows, list)
    assert isinstance(verdicts, list)
    columns = (
        "method model seeds score low high n missing seconds calls tokens cost latency_ms "
        "parameters run"
    ).split()
    for row in rows:
        assert list(row)[: len(columns) + 3] == [*columns, "seed_deviation", "complete", "error"]
        assert list(row)[len(columns) + 3 :] == [
            *("examples", "bytes", "tuning", "evaluation", "each_answer", "variance")
        ]
        assert list(row["latency_ms"]) == ["p50", "p95"]
    for verdict in verdicts:
        assert list(verdict) == ["a", "b", "difference", "low", "high", "p", "verdict"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_row_is_the_mean_over_its_seeds(comparison: Comparison) -> None:
    row = comparison.rows[1]
    assert row.score == pytest.approx(0.9)
    assert row.seed_deviation == pytest.approx(0.02)
    assert row.low is not None
    assert row.high is not None
    assert 0.8 < row.low < 0.9 < row.high < 1
    assert (row.n, row.missing, row.complete) == (100, 0, True)
    found = row.to_json()
    assert (found["seeds"], found["run"]) == (3, ["run-b", "run-c", "run-d"])
    assert found["latency_ms"] == {"p50": 12.0, "p95": 30.0}


def test_a_row_costs_what_tuning_and_evaluation_took(comparison: Comparison) -> None:
    row = comparison.rows[1]
    assert (row.tuning_seconds, row.evaluation_seconds) == (60.0, 6.0)
    assert row.evaluation_usage == Usage(300, 3000, 1.5)
    found = row.to_json()
    took = [found[key] for key in ("seconds", "calls", "tokens", "cost", "parameters")]
    assert took == [66.0, 303, 4000, 2.5, 640]


def test_one_seed_keeps_its_report_s_interval(accuracy: Metric, make_report: MakeReport) -> None:
    report = make_report(accuracy, WANTED, right(50), low=0.41, high=0.62)
    row = compare([Entry("majority", "none", (0,), (report,), ("r",))], accuracy, task="mr").rows[0]
    assert (row.low, row.high, row.seed_deviation) == (0.41, 0.62, None)
    assert (row.seeds, row.to_json()["run"]) == ((0,), "r")


def test_a_failed_entry_has_its_error_and_no_score(comparison: Comparison) -> None:
    row = comparison.rows[2]
    found = row.to_json()
    assert (found["error"], found["score"], found["low"]) == (
        "the endpoint answers 401",
        None,
        None,
    )
    assert (found["n"], found["complete"], found["run"]) == (0, False, [])


def test_pairs_with_reports_are_judged(comparison: Comparison) -> None:
    (verdict,) = comparison.verdicts
    assert (verdict.a, verdict.b, verdict.verdict) == ("majority", "prompt-tuning", "B better")
    assert verdict.difference == pytest.approx(-0.4)
    assert verdict.p == pytest.approx(1 / 501)


def test_p_is_adjusted_over_all_pairs(accuracy: Metric, make_report: MakeReport) -> None:
    entries = [
        Entry(f"m{count}", "x", (0,), (make_report(accuracy, WANTED, right(count)),))
        for count in (50, 70, 90)
    ]
    verdicts = compare(entries, accuracy, task="mr", resamples=1000).verdicts
    assert [(found.a, found.b) for found in verdicts] == [
        ("m50", "m70"),
        ("m50", "m90"),
        ("m70", "m90"),
    ]
    assert [found.p for found in verdicts] == pytest.approx([3 / 1001] * 3)


def test_openings_are_the_most_any_report_saw(comparison: Comparison) -> None:
    assert comparison.openings == 4
    assert comparison.to_json()["test_openings"] == 4


def test_an_incomplete_seed_makes_the_row_incomplete(
    accuracy: Metric, make_report: MakeReport
) -> None:
    answers = [None, None, *right(90)[2:]]
    reports = (make_report(accuracy, WANTED, answers), make_report(accuracy, WANTED, right(90)))
    row = compare([Entry("rag", "x", (0, 1), reports)], accuracy, task="mr").rows[0]
    assert (row.missing, row.complete) == (2, False)


def test_an_entry_that_answered_nothing_has_no_number(
    accuracy: Metric, make_report: MakeReport
) -> None:
    nothing = make_report(accuracy, WANTED, [None] * 100)
    some = make_report(accuracy, WANTED, right(90))
    found = compare(
        [Entry("rag", "x", (0,), (nothing,)), Entry("majority", "x", (0,), (some,))],
        accuracy,
        task="mr",
    )
    assert (found.rows[0].score, found.rows[0].complete) == (None, False)
    (verdict,) = found.verdicts
    assert verdict.verdict == "cannot tell, no example was answered by both"
    json.dumps(found.to_json(), allow_nan=False)


def test_reports_of_other_examples_are_refused(
    entries: list[Entry], accuracy: Metric, make_report: MakeReport
) -> None:
    other = make_report(accuracy, WANTED[:50], right(50)[:50])
    with pytest.raises(MismatchError, match="same n, came 100 and 50"):
        compare([*entries, Entry("rag", "x", (0,), (other,))], accuracy, task="mr")


@pytest.mark.parametrize("change", [{"split": "test"}, {"metric": "mcc"}])
def test_reports_of_another_split_or_metric_are_refused(
    accuracy: Metric, make_report: MakeReport, change: dict[str, str]
) -> None:
    report = replace(make_report(accuracy, WANTED, right(9)), **change)  # type: ignore[arg-type]
    with pytest.raises(MismatchError, match="expected reports of accuracy on dev"):
        compare([Entry("rag", "x", (0,), (report,))], accuracy, task="mr")


def test_entries_of_one_method_are_told_apart(accuracy: Metric, make_report: MakeReport) -> None:
    reports = (make_report(accuracy, WANTED, right(9)),)

    def labels(*entries: tuple[str, str, str]) -> list[str]:
        made = [Entry(method, model, (0,), reports, (run,)) for method, model, run in entries]
        found = compare(made, accuracy, task="mr", resamples=10)
        return [row.label for row in found.rows]

    assert labels(("rag", "x", "1"), ("copro", "x", "2")) == ["rag", "copro"]
    assert labels(("rag", "x", "1"), ("rag", "y", "2")) == ["rag on x", "rag on y"]
    assert labels(("rag", "x", "1"), ("rag", "x", "2")) == ["rag (1)", "rag (2)"]
    with pytest.raises(InputError, match="entries that differ"):
        labels(("rag", "x", "1"), ("rag", "x", "1"))


def test_several_seeds_of_a_corpus_metric_get_an_interval(
    macro_f1: Metric, make_report: MakeReport
) -> None:
    reports = tuple(
        make_report(macro_f1, WANTED, [w if n % k else "a" for n, w in enumerate(WANTED)])
        for k in (2, 3, 5)
    )
    found = compare([Entry("rag", "x", (0, 1, 2), reports)], macro_f1, task="mr").rows[0]
    assert found.low is not None
    assert found.high is not None
    assert found.score is not None
    assert found.low < found.score < found.high
    assert all(math.isfinite(number) for number in (found.low, found.high, found.score))


def test_one_report_a_seed_is_needed(accuracy: Metric, make_report: MakeReport) -> None:
    entry = Entry("rag", "x", (0, 1), (make_report(accuracy, WANTED, right(9)),))
    with pytest.raises(AssertionError, match="one report a seed"):
        compare([entry], accuracy, task="mr")


def test_the_page_s_examples_run() -> None:
    page = Path(__file__).parents[2] / "docs" / "comparison.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.failed == 0
    assert result.attempted > 0


def test_the_examples_fixed_and_broken_are_beside_the_first_row(comparison: Comparison) -> None:
    (found,) = comparison.changes
    assert (found.a, found.b, found.broken) == ("majority", "prompt-tuning", ())
    assert found.fixed == tuple(f"x{n}" for n in range(50, 92))


def test_the_best_of_the_rows_is_hardly_flattered_where_it_is_far_ahead(
    comparison: Comparison,
) -> None:
    assert comparison.choice is not None
    assert (comparison.choice.best, comparison.choice.sure) == (1, 1.0)
    assert comparison.choice.optimism < 0.02


def test_a_metric_of_the_whole_has_no_optimism(macro_f1: Metric, make_report: MakeReport) -> None:
    made = [
        Entry(name, "x", (0,), (make_report(macro_f1, WANTED, right(count)),))
        for name, count in (("a", 50), ("b", 70))
    ]
    assert compare(made, macro_f1, task="mr", resamples=10).choice is None


def test_parts_of_train_make_curves_and_no_rows(accuracy: Metric, make_report: MakeReport) -> None:
    def entry(method: str, examples: int, count: int) -> Entry:
        report = make_report(accuracy, WANTED, right(count))
        return Entry(method, "x", (0,), (report,), (f"{method}-{examples}",), examples=examples)

    whole = [entry("rag", 256, 70), entry("copro", 256, 80)]
    parts = [entry("rag", 16, 69), entry("copro", 16, 40)]
    found = compare(whole, accuracy, task="mr", smaller=parts, resamples=100)
    assert [row.label for row in found.rows] == ["rag", "copro"]
    assert len(found.verdicts) == 1
    assert [[point.examples for point in curve.points] for curve in found.curves] == [[16, 256]] * 2
    assert found.curves[1].points[0].runs == ("copro-16",)
    (crossing,) = found.crossings
    assert (crossing.a, crossing.b) == ("rag", "copro")
    assert 16 < crossing.examples < 256
    json.dumps(found.to_json(), allow_nan=False)


def test_the_break_even_is_of_the_two_best(accuracy: Metric, make_report: MakeReport) -> None:
    entries = [
        Entry("majority", "x", (0,), (make_report(accuracy, WANTED, right(50)),)),
        Entry("few-shot", "x", (0,), (make_report(accuracy, WANTED, right(80)),)),
        Entry(
            "copro",
            "x",
            (0, 1),
            tuple(
                make_report(accuracy, WANTED, right(90), usage=Usage(100, 1, 0.1)) for _ in range(2)
            ),
            tuning_usage=Usage(9, 9, 8.0),
        ),
    ]
    even = compare(entries, accuracy, task="mr", resamples=10).break_even
    assert even is not None
    assert (even.unit, even.first.label, even.second.label) == ("cost", "few-shot", "copro")
    # One seed's tuning is 4.0; an answer costs 0.005 against 0.001.
    assert even.calls == pytest.approx(1000)
