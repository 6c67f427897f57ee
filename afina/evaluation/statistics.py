"""Intervals, paired tests and verdicts; confidence is 95 % throughout.

Bootstrap: B. Efron, "Better bootstrap confidence intervals", JASA 1987. Paired test: E. W. Noreen,
"Computer-intensive methods for testing hypotheses", 1989. Several tests: S. Holm, "A simple
sequentially rejective multiple test procedure", 1979. Where there are several seeds, what examples
and what seeds leave open is put together as in G. Zou and A. Donner, "Construction of confidence
limits about effect measures", Statistics in Medicine 2008.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from afina.evaluation.report import Report, check_same_examples
from afina.evaluation.tally import Counts, Floats, Masks, Tally, tally
from afina.solver import Value
from afina.task.metrics import Metric

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 1_000
PERMUTATIONS = 10_000
BLOCK_CELLS = 4_000_000


def interval(
    metric: Metric,
    wanted: Sequence[Value],
    answers: Sequence[Value],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval of a score over at least one example, none missing.

    Wilson's for scores of 0 and 1, the BCa bootstrap for other means, the percentile bootstrap
    for metrics of a whole corpus.
    """
    if metric.each is None:
        scores = bootstrap(tally(metric, wanted, [answers]), len(wanted), 1, resamples, seed)
        return percentiles(scores[0])
    own = np.array([metric.each(g, w) for w, g in zip(wanted, answers, strict=True)])
    if np.isin(own, (0.0, 1.0)).all():
        return wilson(int(own.sum()), len(own))
    scores = bootstrap(tally(metric, wanted, [answers]), len(wanted), 1, resamples, seed)
    return bca(own, scores[0])


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    bounds = stats.binomtest(hits, n).proportion_ci(1 - ALPHA, method="wilson")
    return float(bounds.low), float(bounds.high)


def percentiles(scores: Floats) -> tuple[float, float]:
    """The bounds that hold 95 % of the resampled scores."""
    low, high = np.quantile(scores, (ALPHA / 2, 1 - ALPHA / 2))
    return float(low), float(high)


def bca(own: Floats, means: Floats) -> tuple[float, float]:
    """The bias-corrected, accelerated interval of a mean, from its resampled means."""
    centred = own - own.mean()
    spread = (centred**2).sum()
    if spread == 0:
        return float(own[0]), float(own[0])
    acceleration = (centred**3).sum() / (6 * spread**1.5)
    below = (means < own.mean()).mean() + (means == own.mean()).mean() / 2
    bias = stats.norm.ppf(below)
    tails = bias + stats.norm.ppf((ALPHA / 2, 1 - ALPHA / 2))
    low, high = np.quantile(means, stats.norm.cdf(bias + tails / (1 - acceleration * tails)))
    return float(low), float(high)


def bootstrap(scores: Tally, n: int, reports: int, resamples: int, seed: int) -> Floats:
    """Each report's score on the same resampled examples: [S, R]."""
    generator = np.random.default_rng(seed)
    parts = [
        np.stack([scores.weighted(report, weights) for report in range(reports)])
        for weights in draws(n, resamples, generator)
    ]
    return np.concatenate(parts, axis=1)


def draws(n: int, resamples: int, generator: np.random.Generator) -> Iterator[Counts]:
    """How often each of n examples is drawn, in blocks that fit in memory: [R, N]."""
    for size in blocks(n, resamples):
        places = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(places.ravel(), minlength=size * n).reshape(size, n)


def masks(n: int, resamples: int, generator: np.random.Generator) -> Iterator[Masks]:
    """Fair coins for each of n examples, in blocks that fit in memory: [R, N]."""
    for size in blocks(n, resamples):
        yield generator.integers(2, size=(size, n), dtype=np.int8)


def blocks(n: int, resamples: int) -> Iterator[int]:
    """Sizes of blocks that add up to the resamples."""
    most = max(1, BLOCK_CELLS // n)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)


def seeds_drawn(scores: Floats, generator: np.random.Generator) -> Floats:
    """Means over drawn seeds, anew for each resample of the examples: [S, R] -> [R].

    One fewer is drawn than there are (J. Rao and C. Wu, "Resampling inference with complex survey
    data", JASA 1988): as many would make three seeds look a third more alike than they are.
    """
    seeds, resamples = scores.shape
    drawn = generator.integers(seeds, size=(max(1, seeds - 1), resamples))
    return np.asarray(scores[drawn, np.arange(resamples)].mean(axis=0))


Side = tuple[Floats, Floats]  # seeds' scores [S], and those on resampled examples [S, R]


def seed_variance(sides: Sequence[Side]) -> tuple[float, float]:
    """The variance of means over seeds that is the seeds' own, and its degrees of freedom.

    On the same examples seeds differ by chance too; how much, the resamples tell, and it is taken
    off. The degrees of freedom are Satterthwaite's, as in `over_few_seeds`.
    """
    several = [(plain, sampled) for plain, sampled in sides if len(plain) > 1]
    parts = [(float(plain.var(ddof=1)) / len(plain), len(plain) - 1) for plain, _ in several]
    chance = sum(
        float((sampled - sampled.mean(axis=0)).var(axis=1).mean()) / (len(plain) - 1)
        for plain, sampled in several
    )
    total = sum(part for part, _ in parts)
    if total <= chance:
        return 0.0, 1.0
    return total - chance, total**2 / sum(part**2 / free for part, free in parts)


def widened(
    middle: float, bounds: tuple[float, float], variance: float, freedom: float
) -> tuple[float, float]:
    """Bounds over examples, widened by what seeds add."""
    added = stats.t.ppf(1 - ALPHA / 2, freedom) ** 2 * variance
    low, high = (math.sqrt((bound - middle) ** 2 + added) for bound in bounds)
    return middle - low, middle + high


def interval_over_seeds(
    metric: Metric, reports: Sequence[Report], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """The interval of the mean score of one method's seeds, over other examples and other seeds.

    Examples that a seed left unanswered are set aside; None where that leaves none. A mean of
    scores from 0 to 1 has no bound beyond them.
    """
    places = answered_by_all(reports)
    if not places:
        return None
    scores = tally(metric, *at(reports, places))
    sampled = bootstrap(scores, len(places), len(reports), resamples, seed)
    plain = whole(scores, len(places), len(reports))
    over_examples = percentiles(sampled.mean(axis=0))
    low, high = widened(float(plain.mean()), over_examples, *seed_variance([(plain, sampled)]))
    if metric.each is not None and over_examples[0] >= 0 and over_examples[1] <= 1:
        return max(0.0, low), min(1.0, high)
    return low, high


def whole(scores: Tally, n: int, reports: int) -> Floats:
    """Each report's score on all examples: [S]."""
    once = np.ones((1, n), dtype=np.int64)
    return np.array([scores.weighted(report, once)[0] for report in range(reports)])


def answered_by_all(reports: Sequence[Report]) -> list[int]:
    """The places of the examples that no report misses."""
    return [
        place
        for place, answers in enumerate(zip(*(r.answers for r in reports), strict=True))
        if all(got is not None for got in answers)
    ]


def at(reports: Sequence[Report], places: Sequence[int]) -> tuple[list[Value], list[list[Value]]]:
    """What was wanted and what each report answered at these places, all of them answered."""
    answers = []
    for report in reports:
        found = report.answers
        answers.append([got for place in places if (got := found[place]) is not None])
    return [reports[0].rows[place].wanted for place in places], answers


@dataclass(frozen=True)
class Paired:
    """The difference of two methods on the ``n`` examples that both answered.

    ``low`` and ``high`` bound it, over examples and, where there are several, seeds; ``p`` is the
    chance of one as large if the methods were the same. The errors are standard errors.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int
    example_error: float
    seed_error: float


def paired(
    metric: Metric,
    first: Sequence[Report],
    second: Sequence[Report],
    *,
    matched: bool = False,
    resamples: int = PERMUTATIONS,
    seed: int = 0,
) -> Paired | None:
    """Test two methods, one report a seed each; None where no example was answered by all.

    The test exchanges the two methods' answers at random examples. For a metric that is a mean
    this is flipping the signs of the per-example differences; several seeds move together. With
    several seeds p is at least that of Welch's t over examples and seeds. ``matched``: both have
    the same seeds in the same order, and a seed decides the same for both (what they learn from),
    so that seeds are compared in pairs.

    Raises: MismatchError where the reports are not about the same examples.
    """
    reports = [*first, *second]
    check_same_examples(reports)
    places = answered_by_all(reports)
    if not places:
        return None
    n, split = len(places), len(first)
    scores = tally(metric, *at(reports, places))
    plain = whole(scores, n, len(reports))
    difference = float(plain[:split].mean() - plain[split:].mean())
    sampled = bootstrap(scores, n, len(reports), RESAMPLES, seed)
    over_examples = sampled[:split].mean(axis=0) - sampled[split:].mean(axis=0)
    sides = [(plain[:split], sampled[:split]), (plain[split:], sampled[split:])]
    if matched:
        assert 2 * split == len(reports), "seeds in pairs"
        sides = [(plain[:split] - plain[split:], sampled[:split] - sampled[split:])]
    own, freedom = seed_variance(sides)
    low, high = widened(difference, percentiles(over_examples), own, freedom)
    p = exchange(scores, (split, len(second)), difference, n, resamples=resamples, seed=seed)
    if len(reports) > 2:
        seeds = [scores_of for scores_of, _ in sides]
        p = max(p, over_few_seeds(difference, n, over_examples, seeds))
    errors = float(over_examples.std()), math.sqrt(own)
    return Paired(difference, low, high, p, n, *errors)


def over_few_seeds(
    difference: float, n: int, over_examples: Floats, seeds: Sequence[Floats]
) -> float:
    """The chance of a difference as large where seeds differ, by Welch's t.

    Few seeds tell little of how much seeds differ: the degrees of freedom are those of F. E.
    Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    parts = [(float(over_examples.var()), n - 1)] + [
        (float(side.var(ddof=1)) / len(side), len(side) - 1) for side in seeds if len(side) > 1
    ]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 1.0 if difference == 0 else 0.0
    freedom = variance**2 / sum(part**2 / max(1, free) for part, free in parts)
    return float(2 * stats.t.sf(abs(difference) / math.sqrt(variance), freedom))


def exchange(
    scores: Tally,
    seeds: tuple[int, int],
    difference: float,
    n: int,
    *,
    resamples: int,
    seed: int,
) -> float:
    """The share of random exchanges of answers that give a difference as large."""
    first, second = seeds
    # Every report takes part equally often: the shorter list starts over.
    pairs = [(k % first, first + k % second) for k in range(math.lcm(first, second))]
    as_large = 0
    for mask in masks(n, resamples, np.random.default_rng(seed)):
        found = np.zeros(len(mask))
        for one, other in pairs:
            a, b = scores.swapped(one, other, mask)
            found += (a - b) / len(pairs)
        as_large += int((np.abs(found) >= abs(difference) - 1e-9).sum())
    return (1 + as_large) / (1 + resamples)


def holm(pvalues: Sequence[float]) -> list[float]:
    """Adjust p-values so that all of them together err at most as often as one.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(pvalues)
    highest = 0.0
    order = sorted(range(len(pvalues)), key=pvalues.__getitem__)
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(pvalues) - rank) * pvalues[place]))
        adjusted[place] = highest
    return adjusted


def verdict(found: Paired, adjusted: float) -> str:
    """Which method is better, or how many more cases would tell.

    A method is better where the adjusted p is at most 0.05 and the interval of the difference,
    which counts the seeds too, leaves out 0.
    """
    if adjusted <= ALPHA and found.low > 0:
        return "A better"
    if adjusted <= ALPHA and found.high < 0:
        return "B better"
    if found.difference == 0:
        return "cannot tell, no difference seen"
    more = cases_needed(found, adjusted)
    if more is None:
        return "cannot tell, more seeds needed"
    return f"cannot tell, about {more:,} more cases needed"


def cases_needed(found: Paired, adjusted: float) -> int | None:
    """How many more examples would show the difference seen with a power of 80 %.

    None where there was no difference, or where the seeds differ so much that examples alone
    cannot. The level is the one that Holm's adjustment left to this pair.
    """
    level = ALPHA * found.p / adjusted
    reach = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER)
    allowed = (found.difference / reach) ** 2 - found.seed_error**2
    if allowed <= 0:
        return None
    more = found.n * (found.example_error**2 / allowed - 1)
    if more < 1 and found.seed_error:  # the examples would do: it is the seeds that are few
        return None
    return rounded_up(max(1, math.ceil(more)))


def rounded_up(count: int) -> int:
    """A count with two digits that mean something.

    >>> rounded_up(1234)
    1300
    """
    unit = 10 ** max(0, len(str(count)) - 2)
    return int(math.ceil(count / unit) * unit)
