"""Measures beside the metric: numbers that a solver puts into its evidence, row by row.

They need nothing but the answer itself, such as how faithful it is to the passages it was given.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from afina.evaluation.report import Report, Row
from afina.evaluation.statistics import interval
from afina.solver import Value
from afina.task.metrics import mean_of

MEASURES = "measures"  # of a prediction's evidence: numbers from 0 to 1 by name


@dataclass(frozen=True)
class Measure:
    """The mean of a measure over the rows that have it, with its bounds of 95 % confidence."""

    name: str
    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name} {self.mean:.4f} [{self.low:.4f}, {self.high:.4f}], n = {self.n}"

    def to_json(self) -> dict[str, object]:
        """The measure as plain JSON, without its name."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n}


def measures(rows: Iterable[Row]) -> tuple[Measure, ...]:
    """The measures of answers, in the order of their first row."""
    found: dict[str, list[Value]] = {}
    for row in rows:
        given = row.prediction.evidence.get(MEASURES)
        if isinstance(given, dict):
            for name, number in given.items():
                found.setdefault(name, []).append(float(number))
    return tuple(measure(name, numbers) for name, numbers in found.items())


def measures_of(reports: Iterable[Report]) -> tuple[Measure, ...]:
    """The measures of several reports' answers together, as of the seeds of one method."""
    return measures(row for report in reports for row in report.rows)


def measure(name: str, numbers: list[Value]) -> Measure:
    """The mean of numbers, none missing, with its bounds."""
    metric = mean_of(itself)
    low, high = interval(metric, numbers, numbers)
    return Measure(name, metric.score(numbers, numbers), low, high, len(numbers))


def itself(number: Value, _wanted: Value) -> float:
    """A number as its own score."""
    assert isinstance(number, float)
    return number
