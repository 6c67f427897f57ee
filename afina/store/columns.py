"""Runs and reports as plain columns, and back."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np

from afina.errors import ArtefactError
from afina.evaluation.report import Report, Row
from afina.solver import Prediction, Span, Usage, Value, Values
from afina.store.run import Run


def run_columns(run: Run, created: datetime, folder: str) -> dict[str, object]:
    """A run as plain columns."""
    return {
        "name": run.name,
        "task": run.task,
        "task_digest": run.task_digest,
        "method": run.method,
        "model": run.model,
        "seed": run.seed,
        "settings": to_text(run.settings),
        "status": run.status,
        "created": created.isoformat(),
        "finished": run.finished.isoformat() if run.finished else None,
        "seconds": float(run.seconds),
        **usage_columns(run.usage),
        "parameters": int(run.parameters),
        "folder": folder,
    }


def run_of(row: sqlite3.Row, path: Path) -> Run:
    """A run from its columns; folders are kept as seen from the database's."""
    with damage(path, f"run {row['name']!r}"):
        return Run(
            name=row["name"],
            task=row["task"],
            task_digest=row["task_digest"],
            method=row["method"],
            model=row["model"],
            seed=row["seed"],
            settings=json.loads(row["settings"]),
            status=row["status"],
            created=datetime.fromisoformat(row["created"]),
            finished=datetime.fromisoformat(row["finished"]) if row["finished"] else None,
            seconds=row["seconds"],
            usage=Usage(row["calls"], row["tokens"], row["cost"]),
            parameters=row["parameters"],
            folder=path.parent / row["folder"],
        )


def report_columns(name: str, report: Report) -> dict[str, object]:
    """A report without its rows as plain columns."""
    return {
        "run": name,
        "split": report.split,
        "metric": report.metric,
        "field": report.field,
        "score": number(report.score),
        "low": number(report.low),
        "high": number(report.high),
        "n": report.n,
        "missing": report.missing,
        "seconds": float(report.seconds),
        **usage_columns(report.usage),
        "latency_p50_ms": number(report.latency_p50_ms),
        "latency_p95_ms": number(report.latency_p95_ms),
        "parameters": int(report.parameters),
        "openings": report.openings,
    }


def report_of(row: sqlite3.Row, rows: tuple[Row, ...], openings: int) -> Report:
    """A report from its columns and rows."""
    return Report(
        metric=row["metric"],
        split=row["split"],
        field=row["field"],
        score=row["score"],
        low=row["low"],
        high=row["high"],
        n=row["n"],
        missing=row["missing"],
        seconds=row["seconds"],
        usage=Usage(row["calls"], row["tokens"], row["cost"]),
        latency_p50_ms=row["latency_p50_ms"],
        latency_p95_ms=row["latency_p95_ms"],
        rows=rows,
        parameters=row["parameters"],
        openings=openings,
    )


def prediction_columns(name: str, split: str, place: int, row: Row) -> list[object]:
    """A report's row, in the order of the table's columns."""
    prediction = row.prediction
    return [
        name,
        split,
        place,
        row.id,
        to_text(row.wanted),
        None if prediction.outputs is None else to_text(prediction.outputs),
        to_text(prediction.evidence),
        *usage_columns(prediction.usage).values(),
        float(prediction.seconds),
        prediction.reason,
        number(row.score),
    ]


def row_from(row: sqlite3.Row, path: Path) -> Row:
    """A report's row from its columns."""
    with damage(path, f"prediction {row['place']} of {row['run']!r}"):
        return Row(
            id=row["example"],
            wanted=value_of(json.loads(row["wanted"])),
            prediction=Prediction(
                outputs=None if row["outputs"] is None else values_of(row["outputs"]),
                evidence=json.loads(row["evidence"]),
                usage=Usage(row["calls"], row["tokens"], row["cost"]),
                seconds=row["seconds"],
                reason=row["reason"],
            ),
            score=row["score"],
        )


@contextmanager
def damage(path: Path, place: str) -> Iterator[None]:
    """What cannot be read back was changed by something else."""
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path}: {place} is damaged: {error}") from error


def usage_columns(usage: Usage) -> dict[str, object]:
    """What was used as plain columns."""
    return {"calls": int(usage.calls), "tokens": int(usage.tokens), "cost": float(usage.cost)}


def number(value: float | None) -> float | None:
    """A float of Python's own, whatever library it came from."""
    return None if value is None else float(value)


def to_text(value: object) -> str:
    """A value as JSON."""
    plain = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(plain, default=plain_number)


def plain_number(value: object) -> object:
    """A number of numpy's as one of Python's; anything else is our mistake."""
    assert isinstance(value, np.generic), f"expected plain JSON, came {value!r}"
    return value.item()


def values_of(text: str) -> Values:
    """Outputs from JSON."""
    return {name: value_of(value) for name, value in json.loads(text).items()}


def value_of(value: Value) -> Value:
    """A value from JSON, which has lists where we had spans."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [Span(*span) for span in value]
    return value
