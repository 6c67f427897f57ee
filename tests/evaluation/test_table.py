"""The table says all that was measured, within 80 columns and within 100."""

import io

import pytest
from rich.console import Console

from afina.evaluation.compare import Comparison, Verdict
from afina.evaluation.comparison_row import ComparisonRow
from afina.evaluation.cost import Each
from afina.evaluation.table import comparison_table, decimal, short
from afina.solver import Usage


def row(**changes: object) -> ComparisonRow:
    values: dict[str, object] = {
        "label": "prompt-tuning",
        "method": "prompt-tuning",
        "model": "builtin:minilm",
        "seeds": (0, 1, 2),
        "score": 0.8123,
        "low": 0.7911,
        "high": 0.8301,
        "seed_deviation": 0.0123,
        "n": 12_345,
        "missing": 0,
        "complete": True,
        "tuning_seconds": 1000.0,
        "tuning_usage": Usage(0, 1_234_567, 1.0),
        "evaluation_seconds": 200.0,
        "evaluation_usage": Usage(300, 0, 0.5),
        "latency_p50_ms": 12.34,
        "latency_p95_ms": 1250.0,
        "parameters": 66_000_000,
        "runs": ("a", "b", "c"),
        "each": Each(1.0, 10.0, 0.001, 0.012),
    }
    return ComparisonRow(**{**values, **changes})  # type: ignore[arg-type]


def verdict(text: str) -> Verdict:
    return Verdict("majority", "multitask-prompt-tuning", -0.25, -0.31, -0.19, 0.00052, text)


def rendered(comparison: Comparison, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(comparison_table(comparison))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def of(*rows: ComparisonRow, verdicts: tuple[Verdict, ...] = (), openings: int = 0) -> Comparison:
    return Comparison("mr", "accuracy", "dev", rows, verdicts, openings)


@pytest.mark.parametrize("width", [80, 100])
def test_every_number_is_there_whole(width: int) -> None:
    long = row(label="multitask-prompt-tuning", model="hf:google-bert/bert-base-uncased-tuned")
    text = rendered(of(row(), long), width)
    assert max(map(len, text.splitlines())) <= width
    for part in (
        "mr · accuracy on dev · 95 % intervals",
        "prompt-tuning",
        "multitask-prompt-tuning",
        "builtin:minilm",
        "0.812",
        "0.791–0.830",
        "12345",
        "0.012",
        "1.2k",
        "12.3/1.2k",
        "1.2M",
        "1.5",
        "66.0M",
        "300",
    ):
        assert part in text, part
    assert "…" not in text


def test_a_row_is_called_as_the_verdicts_call_it() -> None:
    text = rendered(of(row(label="rag on x", model="x"), row(label="rag (run-1)", model="x")), 80)
    assert [line.split()[:2] for line in text.splitlines() if "rag" in line] == [
        ["rag", "0.812"],
        ["rag", "(run-1)"],
    ]


def test_what_was_not_measured_is_a_dash() -> None:
    nothing = row(
        score=None,
        low=None,
        high=None,
        seed_deviation=None,
        latency_p50_ms=None,
        latency_p95_ms=None,
    )
    text = rendered(of(nothing), 80)
    assert "–/–" in text
    assert "None" not in text


def test_incomplete_and_failed_rows_say_so() -> None:
    assert "INCOMPLETE" in rendered(of(row(complete=False, missing=7)), 80)
    text = rendered(of(row(complete=False, error="[401] no key")), 80)
    assert "FAILED: [401] no key" in text
    assert "INCOMPLETE" not in text


def test_verdicts_name_who_is_better() -> None:
    assert (
        "majority is better than multitask-prompt-tuning (-0.250, -0.310 to -0.190, p 0.00052)"
    ) in rendered(of(verdicts=(verdict("A better"),)), 100)
    assert "multitask-prompt-tuning is better than majority" in rendered(
        of(verdicts=(verdict("B better"),)), 100
    )
    more = "cannot tell, about 340 more cases needed"
    assert f"majority or multitask-prompt-tuning: {more}" in rendered(
        of(verdicts=(verdict(more),)), 100
    )
    none = Verdict("a", "b", None, None, None, None, "cannot tell, no example was answered by both")
    assert "a or b: cannot tell, no example was answered by both\n" in rendered(
        of(verdicts=(none,)), 100
    )


@pytest.mark.parametrize(("openings", "words"), [(0, "0 times"), (1, "once"), (3, "3 times")])
def test_openings_of_the_sealed_test_are_counted(openings: int, words: str) -> None:
    assert f"the sealed test has been opened {words}" in rendered(of(openings=openings), 80)


def test_numbers_stay_short() -> None:
    numbers = [0, 0.0001234, 0.5, 9.999, 99.96, 999.4, 999.7, 12345, 999_960, 1e9, 5e11]
    assert all(len(short(number)) <= 8 for number in numbers)
    assert [short(number) for number in (999.4, 999.7, 999_960)] == ["999", "1000", "1.0M"]
    assert decimal(34.512) == "34.5"
    assert decimal(1.0) == "1.000"
    assert decimal(-0.25) == "-0.250"


def test_of_many_verdicts_those_on_the_best_method_are_told() -> None:
    rows = [row(label=f"m{n}", method=f"m{n}", score=0.5 + n / 100) for n in range(6)]
    found = tuple(
        Verdict(f"m{a}", f"m{b}", -0.1, -0.2, -0.05, 0.001, "B better")
        for a in range(6)
        for b in range(a + 1, 6)
    )
    text = rendered(of(*rows, verdicts=found), 100)
    assert text.count("is better than") == 5
    assert text.count("m5 is better than") == 5
    assert "and 10 verdicts on other pairs: --report, --json" in text
    few = rendered(of(*rows[:3], verdicts=found[:3]), 100)
    assert few.count("is better than") == 3
    assert "other pairs" not in few
