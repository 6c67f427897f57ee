"""Each example is asked once; what fails is missing; what is reported is what came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from afina.errors import InputError
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.solver import Prediction, Usage, Value, Values
from afina.task.example import Example
from afina.task.metrics import METRICS, Metric

QUIET = EvaluationSettings(latency_sample=0)


@dataclass
class Recorder:
    """A solver that answers with a function of the text and remembers its batches."""

    answer: Callable[[str], Values | None]
    parameters: int = 7
    batches: list[list[str]] = field(default_factory=list)

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        texts = [str(row["text"]) for row in inputs]
        self.batches.append(texts)
        return [Prediction(self.answer(text), {"seen": text}, Usage(1, 10, 0.25)) for text in texts]


def examples(labels: Sequence[Value]) -> list[Example]:
    return [
        Example({"text": str(n)}, {"label": label}, f"x{n}", "") for n, label in enumerate(labels)
    ]


def same(label: Value) -> Callable[[str], Values]:
    return lambda text: {"label": label}


def test_scores_are_over_what_was_answered(accuracy: Metric) -> None:
    solver = Recorder(lambda text: {"label": "a"} if int(text) < 3 else None)
    report = evaluate(solver, examples(["a", "b", "a", "a"]), accuracy, field="label")
    assert report.score == pytest.approx(2 / 3)
    assert (report.n, report.missing, report.complete) == (4, 1, False)
    assert [row.score for row in report.rows] == [1.0, 0.0, 1.0, None]
    assert [row.id for row in report.rows] == ["x0", "x1", "x2", "x3"]
    assert (report.metric, report.split, report.field) == ("accuracy", "dev", "label")
    assert (report.parameters, report.openings) == (7, 0)


def test_an_answer_without_the_field_is_missing(accuracy: Metric) -> None:
    report = evaluate(
        Recorder(lambda text: {"other": "a"}), examples(["a"]), accuracy, field="label"
    )
    assert (report.score, report.low, report.high) == (None, None, None)
    assert (report.n, report.missing, report.complete) == (1, 1, False)


@pytest.mark.parametrize("label", ["", False, 0, 0.0])
def test_an_answer_that_is_falsy_is_an_answer(accuracy: Metric, label: Value) -> None:
    report = evaluate(Recorder(same(label)), examples([label] * 3), accuracy, field="label")
    assert (report.score, report.missing) == (1.0, 0)
    assert report.answers == [label] * 3


def test_scores_are_plain_floats(accuracy: Metric, macro_f1: Metric) -> None:
    for metric in (accuracy, macro_f1):
        report = evaluate(Recorder(same("a")), examples(["a", "b"] * 20), metric, field="label")
        numbers = [report.score, report.low, report.high, report.latency_p50_ms]
        assert [type(number) for number in numbers] == [float] * 4
    assert (
        type(evaluate(Recorder(same("a")), examples(["a"]), accuracy, field="label").rows[0].score)
        is float
    )


def test_each_row_is_asked_once_in_batches_and_the_sample_alone(accuracy: Metric) -> None:
    solver = Recorder(same("a"))
    settings = EvaluationSettings(batch=8, latency_sample=3)
    report = evaluate(solver, examples(["a"] * 20), accuracy, field="label", settings=settings)
    assert sorted(int(text) for batch in solver.batches for text in batch) == list(range(20))
    assert [len(batch) for batch in solver.batches] == [8, 8, 1, 1, 1, 1]
    assert [row.prediction.evidence["seen"] for row in report.rows] == [str(n) for n in range(20)]
    assert report.usage == Usage(20, 200, 5.0)


def test_the_sample_is_drawn_by_the_seed(accuracy: Metric) -> None:
    def alone(seed: int) -> list[list[str]]:
        solver = Recorder(same("a"))
        settings = EvaluationSettings(latency_sample=5, seed=seed)
        evaluate(solver, examples(["a"] * 99), accuracy, field="label", settings=settings)
        return solver.batches[-5:]

    assert alone(0) == alone(0)
    assert alone(0) != alone(1)


def test_latency_is_that_of_single_rows_and_seconds_of_all(accuracy: Metric) -> None:
    # Two batches take 10 s each, then four rows 1, 2, 3 and 4 s.
    ticks = iter([0, 10, 10, 20, 20, 21, 21, 23, 23, 26, 26, 30])
    settings = EvaluationSettings(batch=4, latency_sample=4)
    report = evaluate(
        Recorder(same("a")),
        examples(["a"] * 12),
        accuracy,
        field="label",
        settings=settings,
        clock=lambda: float(next(ticks)),
    )
    assert report.seconds == 30.0
    assert report.latency_p50_ms == pytest.approx(2500)
    assert report.latency_p95_ms == pytest.approx(3850)


def test_a_row_that_failed_has_no_latency(accuracy: Metric) -> None:
    report = evaluate(Recorder(lambda text: None), examples(["a"] * 5), accuracy, field="label")
    assert report.latency_p50_ms is None


def test_latency_may_be_left_out(accuracy: Metric) -> None:
    solver = Recorder(same("a"))
    report = evaluate(solver, examples(["a"] * 130), accuracy, field="label", settings=QUIET)
    assert (report.latency_p50_ms, report.latency_p95_ms) == (None, None)
    assert [len(batch) for batch in solver.batches] == [64, 64, 2]


def test_settings_reach_the_report(accuracy: Metric) -> None:
    settings = EvaluationSettings(split="test", openings=3)
    report = evaluate(
        Recorder(same("a")), examples(["a"]), accuracy, field="label", settings=settings
    )
    assert (report.split, report.openings) == ("test", 3)


def test_evaluating_twice_gives_the_same_report(macro_f1: Metric) -> None:
    def once() -> tuple[float | None, ...]:
        labels = ["a" if n % 3 else "b" for n in range(60)]
        solver = Recorder(lambda text: {"label": "ab"[int(text) % 2]})
        report = evaluate(solver, examples(labels), macro_f1, field="label")
        return report.score, report.low, report.high

    assert once() == once()


def test_no_examples_are_refused(accuracy: Metric) -> None:
    with pytest.raises(InputError, match="at least one example"):
        evaluate(Recorder(same("a")), [], accuracy, field="label")


def test_a_field_that_is_not_wanted_is_refused(accuracy: Metric) -> None:
    with pytest.raises(InputError, match=r"'x0': expected the output 'mood', came \['label'\]"):
        evaluate(Recorder(same("a")), examples(["a"]), accuracy, field="mood")


def test_a_score_that_is_no_number_is_refused() -> None:
    metric = Metric("broken", lambda answers, wanted: float("nan"), None)
    with pytest.raises(InputError, match="'broken': expected a finite score, came nan"):
        evaluate(Recorder(same("a")), examples(["a"]), metric, field="label")


def test_a_solver_that_drops_rows_is_a_bug(accuracy: Metric) -> None:
    class Dropping(Recorder):
        def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
            return super().__call__(inputs)[1:]

    with pytest.raises(AssertionError, match="one prediction a row"):
        evaluate(Dropping(same("a")), examples(["a"] * 3), accuracy, field="label")


def test_the_metric_gets_the_answer_first_and_what_was_wanted_second() -> None:
    metric = METRICS["exact-match"]
    report = evaluate(Recorder(same("two")), examples([["one", "two"]] * 3), metric, field="label")
    assert report.score == 1.0
    assert [row.score for row in report.rows] == [1.0] * 3
