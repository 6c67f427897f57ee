"""A store in a fresh folder, a run and a report to keep in it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from afina.evaluation.report import Report, Row
from afina.solver import Prediction, Span, Usage
from afina.store.run import Run
from afina.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    ticks = iter(range(10_000))
    begin = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)
    return Store(tmp_path / "home", clock=lambda: begin + timedelta(seconds=next(ticks)))


@pytest.fixture
def run() -> Run:
    return Run(
        "mr-majority-abc23",
        "mr",
        "d" * 64,
        "majority",
        "builtin:minilm",
        0,
        {"temperature": 0.0, "prefix": "", "cot": False, "stop": None, "sizes": [1, 2]},
    )


@pytest.fixture
def report() -> Report:
    rows = (
        Row(
            "a", "x", Prediction({"label": ""}, {"scores": {"x": 0.1}}, Usage(1, 5, 0.25), 0.5), 0.0
        ),
        Row("b", False, Prediction({"label": False, "n": 0, "f": 0.0}), 1.0),
        Row("c", ["x", "y"], Prediction({"label": ["x"]}, {"passages": ["né", None]}), 0.1 + 0.2),
        Row(
            "d",
            [Span(0, 2, "PER")],
            Prediction({"label": [Span(0, 1, "LOC"), Span(2, 3, "PER")]}),
            0.5,
        ),
        Row("e", "x", Prediction(None, reason="timeout after 3 tries"), None),
        Row("f", [], Prediction({}), None),
    )
    return Report(
        metric="accuracy",
        split="dev",
        field="label",
        score=0.1 + 0.2,
        low=0.1,
        high=0.9,
        n=6,
        missing=2,
        seconds=1.5,
        usage=Usage(1, 5, 0.25),
        latency_p50_ms=12.5,
        latency_p95_ms=None,
        rows=rows,
        parameters=640,
        openings=2,
    )
