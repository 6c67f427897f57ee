"""Ask a solver for every example of a split and score the answers."""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from afina.errors import InputError
from afina.evaluation.report import Report, Row, answer
from afina.evaluation.statistics import RESAMPLES, interval
from afina.solver import Prediction, Solver, Usage, Value
from afina.task.example import Example
from afina.task.metrics import Metric

Clock = Callable[[], float]


@dataclass(frozen=True)
class EvaluationSettings:
    """How to ask and how to count."""

    split: str = "dev"  # which split the examples are; for the report
    batch: int = 64  # inputs a call of the solver
    latency_sample: int = 20  # rows asked one at a time and timed; 0 leaves latency out
    seed: int = 0  # draws that sample and the resamples
    resamples: int = RESAMPLES  # bootstrap resamples of the interval
    openings: int = 0  # how often the task's sealed test was opened; for the report


@dataclass(frozen=True)
class Timed:
    """Predictions at their places, the seconds all took, and those of the rows asked alone."""

    predictions: list[Prediction]
    seconds: float
    alone: list[float]


def evaluate(
    solver: Solver,
    examples: Sequence[Example],
    metric: Metric,
    *,
    field: str,
    settings: EvaluationSettings = EvaluationSettings(),
    clock: Clock = time.perf_counter,
) -> Report:
    """Score a solver's answers in one output field; an answer that failed is missing, never 0.

    Raises: InputError where there are no examples, one lacks the field, or the metric gives no
    finite number.
    """
    wanted = wanted_values(examples, field)
    timed = ask(solver, examples, settings, clock)
    rows = tuple(
        Row(example.id, want, prediction, own_score(metric, want, answer(prediction, field)))
        for example, want, prediction in zip(examples, wanted, timed.predictions, strict=True)
    )
    given = [
        (want, got)
        for want, row in zip(wanted, rows, strict=True)
        if (got := answer(row.prediction, field)) is not None
    ]
    score, low, high = score_and_interval(metric, given, settings)
    p50, p95 = latencies(timed.alone)
    return Report(
        metric=metric.name,
        split=settings.split,
        field=field,
        score=score,
        low=low,
        high=high,
        n=len(rows),
        missing=len(rows) - len(given),
        seconds=timed.seconds,
        usage=sum((row.prediction.usage for row in rows), Usage()),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        rows=rows,
        parameters=solver.parameters,
        openings=settings.openings,
    )


def wanted_values(examples: Sequence[Example], field: str) -> list[Value]:
    """The field's wanted values; refuses no examples, and one without the field."""
    if not examples:
        raise InputError("expected at least one example to evaluate on, came none")
    for example in examples:
        if field not in example.outputs:
            raise InputError(
                f"example {example.id!r}: expected the output {field!r}, "
                f"came {sorted(example.outputs)}; name one of them"
            )
    return [example.outputs[field] for example in examples]


def ask(
    solver: Solver, examples: Sequence[Example], settings: EvaluationSettings, clock: Clock
) -> Timed:
    """Ask for most rows in batches, then for a sample one at a time; each row once."""
    size = min(settings.latency_sample, len(examples))
    sample = sorted(random.Random(settings.seed).sample(range(len(examples)), size))
    rest = sorted(set(range(len(examples))) - set(sample))
    calls = [rest[start : start + settings.batch] for start in range(0, len(rest), settings.batch)]
    found: dict[int, Prediction] = {}
    seconds, alone = 0.0, []
    for places in [*calls, *([place] for place in sample)]:
        begin = clock()
        predictions = solver([examples[place].inputs for place in places])
        took = clock() - begin
        assert len(predictions) == len(places), "a solver gives one prediction a row"
        found.update(zip(places, predictions, strict=True))
        seconds += took
        first = predictions[0]
        if places[0] in sample and first.outputs is not None:  # a replay tells of its first call
            alone.append(first.seconds if first.evidence.get("replayed") else took)
    return Timed([found[place] for place in range(len(examples))], seconds, alone)


def own_score(metric: Metric, wanted: Value, got: Value | None) -> float | None:
    """An example's own score, where it was answered and the metric knows one."""
    if got is None or metric.each is None:
        return None
    return float(metric.each(got, wanted))


def score_and_interval(
    metric: Metric, given: Sequence[tuple[Value, Value]], settings: EvaluationSettings
) -> tuple[float | None, float | None, float | None]:
    """The score over the answers given, and its bounds; nothing where none was given."""
    if not given:
        return None, None, None
    wanted, answers = [want for want, _ in given], [got for _, got in given]
    score = float(metric.score(answers, wanted))
    if not math.isfinite(score):
        raise InputError(f"metric {metric.name!r}: expected a finite score, came {score!r}")
    bounds = interval(metric, wanted, answers, resamples=settings.resamples, seed=settings.seed)
    return score, *bounds


def latencies(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    """The median and the 95th percentile in milliseconds; nothing where nothing was timed."""
    if not seconds:
        return None, None
    p50, p95 = np.percentile(seconds, (50, 95)) * 1000
    return float(p50), float(p95)
