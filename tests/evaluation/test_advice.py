"""The advice says what the numbers say, and no more."""

from collections.abc import Callable

import pytest

from afina.evaluation.advice import advise
from afina.evaluation.compare import Entry, compare
from afina.evaluation.report import Report
from afina.solver import Usage
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]
WANTED = ["a", "b"] * 100


@pytest.fixture
def entry(accuracy: Metric, make_report: MakeReport) -> Callable[..., Entry]:
    def made(method: str, count: int, missing: int = 0, **changes: object) -> Entry:
        answers = [w if n < count else "c" for n, w in enumerate(WANTED)]
        given = [*answers[: len(answers) - missing], *[None] * missing]
        report = make_report(accuracy, WANTED, given, low=0.1, high=0.9, **changes)
        return Entry(method, "m", (0,), (report,), (f"run-{method}",))

    return made


def advice(accuracy: Metric, *entries: Entry) -> tuple[str, str, str]:
    return advise(compare(entries, accuracy, task="mr", resamples=1000))


def test_a_clear_winner_is_named_with_its_numbers(
    accuracy: Metric, entry: Callable[..., Entry]
) -> None:
    found = advice(accuracy, entry("majority", 100), entry("few-shot", 180))
    assert found[0] == (
        "We would use few-shot: it scores 0.900 [0.100, 0.900] on 200 examples, the highest score "
        "here."
    )
    assert found[1].startswith("few-shot was shown to be better than majority")
    assert "calls" in found[2]


def test_of_two_that_cannot_be_told_apart_the_cheaper_one_is_taken(
    accuracy: Metric, entry: Callable[..., Entry]
) -> None:
    cheap = entry("zero-shot", 170, usage=Usage(200, 2000, 0.01))
    found = advice(accuracy, cheap, entry("few-shot", 173, usage=Usage(200, 9000, 0.1)))
    assert found[0].startswith("We would use zero-shot: it scores 0.850")
    assert "less than with few-shot, whose 0.865" in found[0]
    assert found[1].startswith("Beside zero-shot chance cannot be ruled out")
    assert found[2].startswith("To tell few-shot from zero-shot: about ")
    assert found[2].endswith(" more cases needed.")


@pytest.mark.parametrize(
    ("waits", "taken"),
    [((90.0, 30.0), "few-shot"), ((30.0, 90.0), "zero-shot"), ((50.0, 90.0), "few-shot")],
)
def test_of_two_that_cost_the_same_one_of_half_the_time_is_taken(
    accuracy: Metric,
    entry: Callable[..., Entry],
    waits: tuple[float, float],
    taken: str,
) -> None:
    one, other = (
        entry(name, count, usage=Usage(200, 2000, 0.01), latency_p50_ms=wait)
        for name, count, wait in zip(("zero-shot", "few-shot"), (170, 173), waits, strict=True)
    )
    assert advice(accuracy, one, other)[0].startswith(f"We would use {taken}: ")


def test_of_two_that_take_the_same_the_better_one_is_taken(
    accuracy: Metric, entry: Callable[..., Entry]
) -> None:
    found = advice(accuracy, entry("zero-shot", 170), entry("few-shot", 173))
    assert found[0].startswith("We would use few-shot: ")
    assert found[0].endswith("the highest score here.")


def test_a_cheap_one_that_another_was_shown_to_beat_is_not_taken(
    accuracy: Metric, make_report: MakeReport
) -> None:
    """Though the best one was not: its errors lie elsewhere, and so tell less of a difference."""
    wrong = {
        "cheap": set(range(40)),
        "steady": set(range(25)),  # right wherever cheap is, and on 15 more
        "best": set(range(100, 124)),
    }
    entries = [
        Entry(
            name,
            "m",
            (0,),
            (
                make_report(
                    accuracy,
                    WANTED,
                    ["c" if n in wrong[name] else w for n, w in enumerate(WANTED)],
                    usage=Usage(200, 2000, cost),
                ),
            ),
        )
        for name, cost in (("cheap", 0.01), ("steady", 0.02), ("best", 0.03))
    ]
    found = advice(accuracy, *entries)
    assert "beside cheap and steady chance cannot be ruled out" in found[1].lower()
    assert found[0].startswith("We would use steady: it scores 0.875")


def test_a_cheap_one_is_not_let_off_because_much_was_compared(
    accuracy: Metric, entry: Callable[..., Entry]
) -> None:
    """Eight more rows right out of 200: an interval of its own that leaves out 0, told of 28."""
    cheap = entry("zero-shot", 170, usage=Usage(200, 2000, 0.01))
    dear = [entry(f"m{n}", n, usage=Usage(200, 9000, 0.1)) for n in range(172, 179)]
    found = compare([cheap, *dear], accuracy, task="mr", resamples=1000)
    told = next(each for each in found.verdicts if (each.a, each.b) == ("zero-shot", "m178"))
    assert told.verdict.startswith("cannot tell")
    assert told.high is not None
    assert told.high < 0
    assert advise(found)[0].startswith("We would use m178: ")


def test_what_left_examples_unanswered_is_neither_taken_nor_beaten(
    accuracy: Metric, entry: Callable[..., Entry]
) -> None:
    found = advice(accuracy, entry("majority", 100), entry("few-shot", 180, missing=20))
    assert found[0].startswith("We would use majority: it scores 0.500")
    assert found[1] == "few-shot failed or left examples unanswered."
    assert "better" not in " ".join(found)
    assert found[2].startswith("Open the sealed test once")


def test_where_all_failed_nothing_is_advised(accuracy: Metric) -> None:
    found = advice(accuracy, Entry("rag", "m", (0,), (), error="no index"))
    assert found[0].startswith("No method answered enough")


def test_the_flattery_of_the_best_of_many_is_told(
    accuracy: Metric, make_report: MakeReport
) -> None:
    entries = [
        Entry(
            f"m{shift}",
            "m",
            (0,),
            (
                make_report(
                    accuracy,
                    WANTED,
                    [
                        w if (n * 7 + shift * 37) % 200 < 120 + shift % 2 else "c"
                        for n, w in enumerate(WANTED)
                    ],
                ),
            ),
        )
        for shift in range(8)
    ]
    found = advice(accuracy, *entries)
    assert "being the best of 8 on these examples flatters it by about" in found[1]


def test_many_that_are_beaten_are_counted_and_few_are_named(
    accuracy: Metric, entry: Callable[..., Entry]
) -> None:
    weak = [entry(f"m{n}", 100 + n) for n in range(4)]
    found = advice(accuracy, *weak, entry("few-shot", 180))
    assert found[1].startswith("few-shot was shown to be better than all 4 others")
    found = advice(accuracy, *weak, entry("knn", 179), entry("few-shot", 180))
    assert found[1].startswith("few-shot was shown to be better than 4 of the 5 others; beside knn")
    found = advice(accuracy, *weak[:3], entry("few-shot", 180))
    assert found[1].startswith("few-shot was shown to be better than m0, m1 and m2")
