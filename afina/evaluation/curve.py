"""Learning curves: scores over nested parts of train, and where two of them cross."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from afina.evaluation.report import Report
from afina.evaluation.statistics import (
    ALPHA,
    RESAMPLES,
    answered_by_all,
    at,
    bootstrap,
    seeds_drawn,
)
from afina.evaluation.tally import Floats, tally
from afina.task.metrics import Metric


@dataclass(frozen=True)
class Point:
    """A method's score when tuned on so many examples of train."""

    examples: int
    score: float | None
    low: float | None
    high: float | None
    runs: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The point as plain JSON."""
        return {**vars(self), "runs": list(self.runs)}


@dataclass(frozen=True)
class Curve:
    """A method's scores by the number of examples, fewest first."""

    label: str
    points: tuple[Point, ...]

    def to_json(self) -> dict[str, object]:
        """The curve as plain JSON."""
        return {"label": self.label, "points": [point.to_json() for point in self.points]}


@dataclass(frozen=True)
class Crossing:
    """From about ``examples`` examples on, ``b`` is better than ``a``, which was better before.

    ``low`` and ``high`` bound the number with 95 % confidence; None where the bound lies outside
    the sizes that were run.
    """

    a: str
    b: str
    examples: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, object]:
        """The crossing as plain JSON."""
        return vars(self).copy()


@dataclass(frozen=True)
class Sized:
    """A method's reports and runs, one a seed, by how many examples it was tuned on."""

    label: str
    reports: Mapping[int, tuple[Report, ...]]
    runs: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def crossing(metric: Metric, first: Sized, second: Sized, *, seed: int = 0) -> Crossing | None:
    """Where two curves cross over the sizes they share; None where they do not."""
    sizes = sorted(set(first.reports) & set(second.reports))
    every = [report for each in (first, second) for size in sizes for report in each.reports[size]]
    places = answered_by_all(every) if len(sizes) > 1 else []
    if not places:
        return None
    plain, sampled = differences(metric, first, second, sizes, places, seed)
    if plain[0] < 0 < plain[-1]:
        first, second, plain, sampled = second, first, -plain, -sampled
    where = crossed(plain, sizes)
    if not math.isfinite(where):
        return None
    drawn = np.array([crossed(each, sizes) for each in sampled.T])
    low, high = np.quantile(drawn, (ALPHA / 2, 1 - ALPHA / 2), method="nearest")
    return Crossing(first.label, second.label, 2**where, inside(low), inside(high))


def inside(where: float) -> float | None:
    """A number of examples from its logarithm; None where it is outside of all sizes."""
    return 2 ** float(where) if math.isfinite(where) else None


def differences(
    metric: Metric,
    first: Sized,
    second: Sized,
    sizes: Sequence[int],
    places: Sequence[int],
    seed: int,
) -> tuple[Floats, Floats]:
    """The first's score less the second's at each size [Z], and over drawn examples, seeds [Z, R].

    All sizes see the same draws of examples.
    """
    plain: list[float] = []
    sampled: list[Floats] = []
    for size in sizes:
        means: list[float] = []
        draws: list[Floats] = []
        for each in (first, second):
            reports = each.reports[size]
            scores = tally(metric, *at(reports, places))
            once = np.ones((1, len(places)), dtype=np.int64)
            means.append(float(np.mean([scores.weighted(n, once) for n in range(len(reports))])))
            over = bootstrap(scores, len(places), len(reports), RESAMPLES, seed)
            draws.append(seeds_drawn(over, np.random.default_rng([seed, size, len(draws)])))
        plain.append(means[0] - means[1])
        sampled.append(draws[0] - draws[1])
    return np.array(plain), np.stack(sampled)


def crossed(gaps: Floats, sizes: Sequence[int]) -> float:
    """The logarithm (base 2) of the size at which a gap that was above 0 goes below it.

    ``inf`` where it is still above at the last size, ``-inf`` where it is below from the first.
    """
    if gaps[-1] >= 0:
        return math.inf
    last_above = max((place for place, gap in enumerate(gaps) if gap >= 0), default=-1)
    if last_above < 0:
        return -math.inf
    above, below = gaps[last_above], gaps[last_above + 1]
    start, end = math.log2(sizes[last_above]), math.log2(sizes[last_above + 1])
    return float(start + (end - start) * above / (above - below))
