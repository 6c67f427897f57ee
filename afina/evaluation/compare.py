"""A comparison: methods side by side on the same examples, what they took, and who is better."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from afina.errors import InputError, MismatchError
from afina.evaluation.report import Report, check_same_examples
from afina.evaluation.statistics import (
    PERMUTATIONS,
    Paired,
    holm,
    interval_over_seeds,
    paired,
    verdict,
)
from afina.solver import Usage
from afina.task.metrics import Metric

NO_OVERLAP = "cannot tell, no example was answered by both"


@dataclass(frozen=True)
class Entry:
    """A method tuned on a model: one report and one run a seed, and what the tuning took.

    One that failed carries its ``error`` and no reports.
    """

    method: str
    model: str
    seeds: tuple[int, ...]
    reports: tuple[Report, ...]
    runs: tuple[str, ...] = ()
    tuning_seconds: float = 0.0
    tuning_usage: Usage = field(default_factory=Usage)
    parameters: int = 0
    error: str = ""


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the table; the score is the mean over seeds, ``label`` is unlike the others'."""

    label: str
    method: str
    model: str
    seeds: tuple[int, ...]
    score: float | None
    low: float | None
    high: float | None
    seed_deviation: float | None
    n: int
    missing: int
    complete: bool
    tuning_seconds: float
    tuning_usage: Usage
    evaluation_seconds: float
    evaluation_usage: Usage
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    parameters: int
    runs: tuple[str, ...]
    error: str = ""

    @property
    def seconds(self) -> float:
        """Tuning and evaluation, all seeds."""
        return self.tuning_seconds + self.evaluation_seconds

    @property
    def usage(self) -> Usage:
        """Tuning and evaluation, all seeds."""
        return self.tuning_usage + self.evaluation_usage

    def to_json(self) -> dict[str, object]:
        """The row as plain JSON; what it took is tuning and evaluation together."""
        return {
            "method": self.method,
            "model": self.model,
            "seeds": len(self.seeds),
            "score": self.score,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "missing": self.missing,
            "seconds": self.seconds,
            "calls": self.usage.calls,
            "tokens": self.usage.tokens,
            "cost": self.usage.cost,
            "latency_ms": {"p50": self.latency_p50_ms, "p95": self.latency_p95_ms},
            "parameters": self.parameters,
            "run": self.runs[0] if len(self.runs) == 1 else list(self.runs),
            "seed_deviation": self.seed_deviation,
            "complete": self.complete,
            "error": self.error,
        }


@dataclass(frozen=True)
class Verdict:
    """Two rows' labels, the difference a - b with its bounds, Holm's p, and who is better."""

    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: str

    def to_json(self) -> dict[str, object]:
        """The verdict as plain JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Comparison:
    """Rows and verdicts on one split of a task; ``openings`` counts those of the sealed test."""

    task: str
    metric: str
    split: str
    rows: tuple[ComparisonRow, ...]
    verdicts: tuple[Verdict, ...]
    openings: int

    def to_json(self) -> dict[str, object]:
        """The comparison as plain JSON, as `afina compare --json` prints it."""
        return {
            "task": self.task,
            "metric": self.metric,
            "split": self.split,
            "rows": [row.to_json() for row in self.rows],
            "verdicts": [found.to_json() for found in self.verdicts],
            "test_openings": self.openings,
        }


def compare(
    entries: Sequence[Entry],
    metric: Metric,
    *,
    task: str,
    split: str = "dev",
    resamples: int = PERMUTATIONS,
    seed: int = 0,
) -> Comparison:
    """Set entries side by side and judge each pair of them, Holm-adjusted over all pairs.

    Raises: MismatchError where reports are of another metric, split or other examples; InputError
    where two entries cannot be told apart.
    """
    reports = [report for entry in entries for report in entry.reports]
    check_reports(reports, metric, split)
    names = labels(entries)
    return Comparison(
        task=task,
        metric=metric.name,
        split=split,
        rows=tuple(
            summary(entry, name, metric, seed) for entry, name in zip(entries, names, strict=True)
        ),
        verdicts=tuple(verdicts(entries, names, metric, resamples, seed)),
        openings=max((report.openings for report in reports), default=0),
    )


def check_reports(reports: Sequence[Report], metric: Metric, split: str) -> None:
    """Refuse reports that are not of this metric and split, or not of the same examples."""
    check_same_examples(reports)
    for report in reports[:1]:
        if (report.metric, report.split) != (metric.name, split):
            raise MismatchError(
                f"expected reports of {metric.name} on {split}, came {report.metric} on "
                f"{report.split}; compare what was evaluated alike"
            )


def labels(entries: Sequence[Entry]) -> list[str]:
    """The shortest names that tell the entries apart: method, then model, then run."""
    namings = (
        [entry.method for entry in entries],
        [f"{entry.method} on {entry.model}" for entry in entries],
        [f"{entry.method} ({', '.join(entry.runs)})" for entry in entries],
    )
    for names in namings:
        if len(set(names)) == len(names):
            return names
    raise InputError(f"expected entries that differ, came {namings[-1]}; name each only once")


def summary(entry: Entry, label: str, metric: Metric, seed: int) -> ComparisonRow:
    """An entry's line of the table."""
    reports = entry.reports
    assert entry.error or len(reports) == len(entry.seeds), "one report a seed"
    scores = [report.score for report in reports if report.score is not None]
    low, high = bounds(reports, metric, seed)
    return ComparisonRow(
        label=label,
        method=entry.method,
        model=entry.model,
        seeds=entry.seeds,
        score=statistics.fmean(scores) if scores else None,
        low=low,
        high=high,
        seed_deviation=statistics.stdev(scores) if len(scores) > 1 else None,
        n=max((report.n for report in reports), default=0),
        missing=sum(report.missing for report in reports),
        complete=not entry.error and all(report.complete for report in reports),
        tuning_seconds=entry.tuning_seconds,
        tuning_usage=entry.tuning_usage,
        evaluation_seconds=sum(report.seconds for report in reports),
        evaluation_usage=sum((report.usage for report in reports), Usage()),
        latency_p50_ms=mean_of(report.latency_p50_ms for report in reports),
        latency_p95_ms=mean_of(report.latency_p95_ms for report in reports),
        parameters=entry.parameters,
        runs=entry.runs,
        error=entry.error,
    )


def bounds(
    reports: Sequence[Report], metric: Metric, seed: int
) -> tuple[float | None, float | None]:
    """The interval of the row's score: a single report's own, else over examples and seeds."""
    if len(reports) == 1:
        return reports[0].low, reports[0].high
    found = interval_over_seeds(metric, reports, seed=seed) if reports else None
    return found or (None, None)


def mean_of(numbers: Iterable[float | None]) -> float | None:
    """The mean of those that are there."""
    there = [number for number in numbers if number is not None]
    return statistics.fmean(there) if there else None


def verdicts(
    entries: Sequence[Entry], names: Sequence[str], metric: Metric, resamples: int, seed: int
) -> list[Verdict]:
    """Judge every pair of entries that have reports."""
    there = [
        (name, entry.reports) for name, entry in zip(names, entries, strict=True) if entry.reports
    ]
    pairs = [
        (a, b, paired(metric, first, second, resamples=resamples, seed=seed))
        for (a, first), (b, second) in combinations(there, 2)
    ]
    adjusted = iter(holm([found.p for _, _, found in pairs if found is not None]))
    return [judge(a, b, found, next(adjusted) if found else 1.0) for a, b, found in pairs]


def judge(a: str, b: str, found: Paired | None, adjusted: float) -> Verdict:
    """The verdict on a pair."""
    if found is None:
        return Verdict(a, b, None, None, None, None, NO_OVERLAP)
    return Verdict(
        a, b, found.difference, found.low, found.high, adjusted, verdict(found, adjusted)
    )
