"""A comparison: methods side by side on the same examples, what they took, and who is better."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from afina.errors import InputError, MismatchError
from afina.evaluation.comparison_row import ComparisonRow
from afina.evaluation.cost import Bill, BreakEven, Each, Unit, break_even, each_answer
from afina.evaluation.curve import Crossing, Curve, Point, Sized, crossing
from afina.evaluation.grades import Change, change, grades
from afina.evaluation.optimism import FEWEST, Optimism, optimism
from afina.evaluation.report import Report, check_same_examples
from afina.evaluation.statistics import (
    PERMUTATIONS,
    Paired,
    holm,
    interval_over_seeds,
    paired,
    verdict,
)
from afina.evaluation.variance import variance
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
    examples: int = 0  # of train that were used
    size_bytes: int = 0  # of what is kept of the solver, one seed's
    drawn: str = ""  # what a seed decides; nothing where it is empty


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
    """Rows and verdicts on one split of a task; ``openings`` counts those of the sealed test.

    ``curves`` are of methods that were tuned on parts of train too. ``changes`` tell, beside the
    first row, which examples the others fix and break. ``choice`` is how far the best row is
    flattered by being the best.
    """

    task: str
    metric: str
    split: str
    rows: tuple[ComparisonRow, ...]
    verdicts: tuple[Verdict, ...]
    openings: int
    curves: tuple[Curve, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    break_even: BreakEven | None = None
    changes: tuple[Change, ...] = ()
    choice: Optimism | None = None

    def to_json(self) -> dict[str, object]:
        """The comparison as plain JSON, as `afina compare --json` prints it."""
        return {
            "task": self.task,
            "metric": self.metric,
            "split": self.split,
            "rows": [row.to_json() for row in self.rows],
            "verdicts": [found.to_json() for found in self.verdicts],
            "test_openings": self.openings,
            "curves": [curve.to_json() for curve in self.curves],
            "crossings": [found.to_json() for found in self.crossings],
            "break_even": self.break_even.to_json() if self.break_even else None,
            "changes": [found.to_json() for found in self.changes],
            "choice": self.choice.to_json() if self.choice else None,
        }


def compare(
    entries: Sequence[Entry],
    metric: Metric,
    *,
    task: str,
    split: str = "dev",
    smaller: Sequence[Entry] = (),
    resamples: int = PERMUTATIONS,
    seed: int = 0,
) -> Comparison:
    """Set entries side by side and judge each pair of them, Holm-adjusted over all pairs.

    ``smaller`` are the same methods tuned on parts of train: they make curves, not rows.

    Raises: MismatchError where reports are of another metric, split or other examples; InputError
    where two entries cannot be told apart.
    """
    reports = [report for entry in (*entries, *smaller) for report in entry.reports]
    check_reports(reports, metric, split)
    names = labels(entries)
    named = list(zip(names, entries, strict=True))
    rows = tuple(summary(entry, name, metric, seed) for name, entry in named)
    lines = sized(named, smaller)
    return Comparison(
        task=task,
        metric=metric.name,
        split=split,
        rows=rows,
        verdicts=tuple(verdicts(entries, names, metric, resamples, seed)),
        openings=max((report.openings for report in reports), default=0),
        curves=tuple(curve(line, metric, seed) for line in lines),
        crossings=tuple(crossings(lines, metric, seed)),
        break_even=even(rows),
        changes=tuple(changes(named)),
        choice=choice(named, metric, seed),
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
    methods = Counter(entry.method for entry in entries)
    namings = (
        [
            entry.method if methods[entry.method] == 1 else f"{entry.method} on {entry.model}"
            for entry in entries
        ],
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
        examples=entry.examples,
        size_bytes=entry.size_bytes,
        each=each_of(reports),
        variance=variance(metric, reports, entry.drawn, seed=seed),
        error=entry.error,
    )


def each_of(reports: Sequence[Report]) -> Each:
    """What an answer takes, over all seeds."""
    usage = sum((report.usage for report in reports), Usage())
    answers = sum(report.n for report in reports)
    return each_answer(usage, answers, mean_of(report.latency_p50_ms for report in reports))


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


def sized(named: Sequence[tuple[str, Entry]], smaller: Sequence[Entry]) -> list[Sized]:
    """Methods that were tuned on parts of train too, by how many examples."""
    found = []
    for name, entry in named:
        parts = [
            part
            for part in smaller
            if (part.method, part.model) == (entry.method, entry.model) and part.reports
        ]
        if parts and entry.reports:
            whole = (*parts, entry)
            reports = {each.examples: each.reports for each in whole}
            found.append(Sized(name, reports, {each.examples: each.runs for each in whole}))
    return found


def curve(line: Sized, metric: Metric, seed: int) -> Curve:
    """A method's scores by the number of examples."""
    points = []
    for examples, reports in sorted(line.reports.items()):
        low, high = bounds(reports, metric, seed)
        score = mean_of(report.score for report in reports)
        points.append(Point(examples, score, low, high, line.runs[examples]))
    return Curve(line.label, tuple(points))


def crossings(lines: Sequence[Sized], metric: Metric, seed: int) -> list[Crossing]:
    """Where each two curves cross."""
    found = (crossing(metric, a, b, seed=seed) for a, b in combinations(lines, 2))
    return [each for each in found if each is not None]


def even(rows: Sequence[ComparisonRow]) -> BreakEven | None:
    """The break-even of the two best rows, in dollars where any were paid, else in seconds."""
    best = sorted(
        (row for row in rows if row.score is not None), key=lambda row: -(row.score or 0.0)
    )[:2]
    if len(best) < 2:
        return None
    unit: Unit = "cost" if any(row.usage.cost for row in best) else "seconds"
    one, other = (bill(row, unit) for row in best)
    return break_even(unit, one, other)


def bill(row: ComparisonRow, unit: Unit) -> Bill:
    """What a row's method costs: to tune it with one seed, and for each answer."""
    share = 1 / len(row.seeds)
    if unit == "cost":
        return Bill(row.label, row.tuning_usage.cost * share, row.each.cost)
    return Bill(row.label, row.tuning_seconds * share, row.each.seconds or 0.0)


def changes(named: Sequence[tuple[str, Entry]]) -> list[Change]:
    """What each method fixes and breaks beside the first one that has reports."""
    there = [(name, entry.reports) for name, entry in named if entry.reports]
    if not there:
        return []
    base, first = there[0]
    ids = [row.id for row in first[0].rows]
    return [change(base, name, ids, grades(first), grades(reports)) for name, reports in there[1:]]


def choice(named: Sequence[tuple[str, Entry]], metric: Metric, seed: int) -> Optimism | None:
    """How far the best method is flattered by having been chosen on these examples.

    None for a metric that has no scores of single examples.
    """
    scored = [
        grades(entry.reports)
        for _, entry in named
        if any(report.score is not None for report in entry.reports)
    ]
    if metric.each is None or len(scored) < 2 or len(scored[0]) < FEWEST:
        return None
    return optimism(scored, seed=seed)


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
