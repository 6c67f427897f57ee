"""Metrics and reports for the tests of evaluation."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score

from afina.evaluation.report import Report, Row
from afina.solver import Prediction, Usage, Value
from afina.task.metrics import Metric

MakeReport = Callable[..., Report]


def mean_metric(name: str, each: Callable[[Value, Value], float]) -> Metric:
    def score(answers: Sequence[Value], wanted: Sequence[Value]) -> float:
        return float(np.mean([each(g, w) for g, w in zip(answers, wanted, strict=True)]))

    return Metric(name, score, each)


@pytest.fixture
def accuracy() -> Metric:
    return mean_metric("accuracy", lambda got, wanted: np.float64(got == wanted))


@pytest.fixture
def closeness() -> Metric:
    """A mean of scores between 0 and 1."""
    return mean_metric("closeness", lambda got, wanted: 1 - abs(float(got) - float(wanted)))  # type: ignore[arg-type]


@pytest.fixture
def macro_f1() -> Metric:
    return Metric("macro-f1", lambda g, w: float(f1_score(w, g, average="macro")), None)


@pytest.fixture
def make_report() -> MakeReport:
    """Make a report of answers to the question of what was wanted; None is missing."""

    def make(
        metric: Metric,
        wanted: Sequence[Value],
        answers: Sequence[Value | None],
        /,
        **changes: object,
    ) -> Report:
        rows = tuple(
            Row(
                f"x{n}",
                want,
                Prediction(None if got is None else {"label": got}, usage=Usage(1, 10, 0.5)),
                None if got is None or metric.each is None else metric.each(got, want),
            )
            for n, (want, got) in enumerate(zip(wanted, answers, strict=True))
        )
        there = [(w, g) for w, g in zip(wanted, answers, strict=True) if g is not None]
        score = metric.score([g for _, g in there], [w for w, _ in there]) if there else None
        values = {
            "metric": metric.name,
            "split": "dev",
            "field": "label",
            "score": score,
            "low": score,
            "high": score,
            "n": len(rows),
            "missing": len(rows) - len(there),
            "seconds": 2.0,
            "usage": Usage(len(rows), 10 * len(rows), 0.5),
            "latency_p50_ms": 12.0,
            "latency_p95_ms": 30.0,
            "rows": rows,
        }
        return Report(**{**values, **changes})  # type: ignore[arg-type]

    return make
