"""A tally: scores of resampled examples, quickly, for every metric.

Most metrics follow from numbers that add up over examples: the sum of scores, hits a label,
matching n-grams. So one product of matrices scores a thousand resamples. Ranks are counted anew in
all resamples at once. A metric we do not know is asked for each resample.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy.sparse import csr_array

from afina.solver import Span, Value
from afina.task.metrics import Metric, numbers_of, streams, text_of

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Masks = NDArray[np.int8]
# csr_array, which has no types of its own: [N, C], one row an example.
Rows = Any
ROUNDING = 1e-12  # a spread below this share of the squares is what rounding leaves of none


class Tally(Protocol):
    """Several solvers' answers to the same N examples, none missing."""

    def weighted(self, report: int, weights: Counts) -> Floats:
        """A report's scores where example n counts weights[r, n] times: [R, N] -> [R]."""

    def swapped(self, first: int, second: int, masks: Masks) -> tuple[Floats, Floats]:
        """Both reports' scores with the answers under the mask exchanged: [R, N] -> [R] twice."""


@dataclass(frozen=True)
class Additive:
    """A tally of numbers that add up; ``score`` maps their sums, [R, C] -> [R]."""

    rows: tuple[Rows, ...]
    score: Callable[[Floats], Floats]

    def weighted(self, report: int, weights: Counts) -> Floats:
        """A report's scores where example n counts weights[r, n] times."""
        return self.score(weights @ self.rows[report])

    def swapped(self, first: int, second: int, masks: Masks) -> tuple[Floats, Floats]:
        """Both reports' scores with the answers under the mask exchanged."""
        change = self.rows[second] - self.rows[first]
        changed = np.flatnonzero(np.diff(change.indptr))
        moved = masks[:, changed].astype(np.float64) @ change[changed]
        one = self.rows[first].sum(axis=0)[None] + moved
        other = self.rows[second].sum(axis=0)[None] - moved
        return self.score(one), self.score(other)


@dataclass(frozen=True)
class Ranked:
    """A tally of ranks; numbers are given as places [N] among the distinct ones, in order."""

    wanted: Counts
    answers: tuple[Counts, ...]

    def weighted(self, report: int, weights: Counts) -> Floats:
        """A report's scores where example n counts weights[r, n] times."""
        answered, wanted = (
            ranks_about_mean(np.broadcast_to(places, weights.shape), weights)
            for places in (self.answers[report], self.wanted)
        )
        return cosines(answered, wanted, weights)

    def swapped(self, first: int, second: int, masks: Masks) -> tuple[Floats, Floats]:
        """Both reports' scores with the answers under the mask exchanged."""
        one, other = self.answers[first], self.answers[second]
        once = np.ones(masks.shape, dtype=np.int64)
        wanted = ranks_about_mean(np.broadcast_to(self.wanted, masks.shape), once)
        mixed = np.where(masks, other, one), np.where(masks, one, other)
        a, b = (cosines(ranks_about_mean(side, once), wanted, once) for side in mixed)
        return a, b


@dataclass(frozen=True)
class Direct:
    """A tally that asks the metric once a resample."""

    metric: Metric
    wanted: Sequence[Value]
    answers: Sequence[Sequence[Value]]

    def weighted(self, report: int, weights: Counts) -> Floats:
        """A report's scores where example n counts weights[r, n] times."""
        places = np.arange(len(self.wanted))
        return np.array([self.ask(report, np.repeat(places, counts)) for counts in weights])

    def ask(self, report: int, places: Counts) -> float:
        """The metric over the examples at these places."""
        answers = self.answers[report]
        wanted = [self.wanted[n] for n in places]
        return float(self.metric.score([answers[n] for n in places], wanted))

    def swapped(self, first: int, second: int, masks: Masks) -> tuple[Floats, Floats]:
        """Both reports' scores with the answers under the mask exchanged."""
        one, other = self.answers[first], self.answers[second]
        scores = [
            (
                self.metric.score([b if m else a for a, b, m in mixed], self.wanted),
                self.metric.score([a if m else b for a, b, m in mixed], self.wanted),
            )
            for mixed in (list(zip(one, other, mask, strict=True)) for mask in masks)
        ]
        return np.array([a for a, _ in scores]), np.array([b for _, b in scores])


def tally(metric: Metric, wanted: Sequence[Value], answers: Sequence[Sequence[Value]]) -> Tally:
    """The quickest tally that gives exactly the metric's own scores."""
    if metric.each is not None:
        each = metric.each
        return Additive(tuple(own_scores(each, wanted, got) for got in answers), mean)
    quick = quick_tally(metric.name, wanted, answers)
    if quick is None:
        return Direct(metric, wanted, answers)
    # A metric of one's own may bear a known name.
    once = np.ones((1, len(wanted)), dtype=np.int64)
    same = (
        math.isclose(quick.weighted(report, once)[0], metric.score(got, wanted), abs_tol=1e-9)
        for report, got in enumerate(answers)
    )
    return quick if all(same) else Direct(metric, wanted, answers)


def quick_tally(
    name: str, wanted: Sequence[Value], answers: Sequence[Sequence[Value]]
) -> Tally | None:
    """The additive numbers, or the ranks, of a metric of the whole; None where we know of none."""
    match name:
        case "macro-f1":
            return Additive(label_counts(wanted, answers), macro_f1)
        case "mcc":
            return Additive(label_counts(wanted, answers), matthews)
        case "pearson":
            return Additive(moments(wanted, answers), pearson)
        case "spearman":
            return ranked(wanted, answers)
        case "entity-f1":
            return Additive(tuple(span_counts(wanted, got) for got in answers), f1)
        case "bleu":
            return translation_counts(BLEU(force=True), wanted, answers)
        case "chrf":
            return translation_counts(CHRF(), wanted, answers)
        case _:
            return None


def own_scores(
    each: Callable[[Value, Value], float], wanted: Sequence[Value], answers: Sequence[Value]
) -> Rows:
    """Each example's own score, and a one to count it: [N, 2]."""
    return csr_array([[each(g, w), 1.0] for w, g in zip(wanted, answers, strict=True)])


def mean(totals: Floats) -> Floats:
    """The mean score: [R, 2] -> [R]."""
    return totals[:, 0] / totals[:, 1]


def label_counts(wanted: Sequence[Value], answers: Sequence[Sequence[Value]]) -> tuple[Rows, ...]:
    """One-hot of the label where right, of the one answered, of the one wanted: [N, 3K] each."""
    places: dict[str, int] = {}
    for values in (wanted, *answers):
        for value in values:
            places.setdefault(str(value), len(places))
    truth = np.array([places[str(value)] for value in wanted])
    return tuple(
        one_hot(truth, np.array([places[str(value)] for value in got]), len(places))
        for got in answers
    )


def one_hot(truth: Counts, answered: Counts, labels: int) -> Rows:
    """Right, answered and wanted label of each example as ones: [N], [N] -> [N, 3K]."""
    n = np.arange(len(truth))
    right = truth == answered
    columns = np.concatenate([truth[right], labels + answered, 2 * labels + truth])
    rows = np.concatenate([n[right], n, n])
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(n), 3 * labels))


def macro_f1(totals: Floats) -> Floats:
    """Mean F1 of the labels that occur: [R, 3K] -> [R]."""
    right, answered, wanted = np.split(totals, 3, axis=1)
    occurs = answered + wanted
    f1s = np.divide(2 * right, occurs, out=np.zeros_like(right), where=occurs > 0)
    return cast(Floats, f1s.sum(axis=1) / (occurs > 0).sum(axis=1))


def matthews(totals: Floats) -> Floats:
    """Matthews' correlation for K labels (Gorodkin 2004), 0 where undefined: [R, 3K] -> [R]."""
    right, answered, wanted = np.split(totals, 3, axis=1)
    n = wanted.sum(axis=1)
    covariance = right.sum(axis=1) * n - (answered * wanted).sum(axis=1)
    spread = (n**2 - (answered**2).sum(axis=1)) * (n**2 - (wanted**2).sum(axis=1))
    none = np.zeros_like(covariance)
    return cast(Floats, np.divide(covariance, np.sqrt(spread), out=none, where=spread > 0))


def moments(wanted: Sequence[Value], answers: Sequence[Sequence[Value]]) -> tuple[Rows, ...]:
    """1, x, y, xx, yy and xy of each example: [N, 6] each."""
    y = standardised(numbers_of(wanted))
    found = standardised(np.stack([numbers_of(got) for got in answers]))
    return tuple(
        csr_array(np.stack([np.ones_like(y), x, y, x * x, y * y, x * y], axis=1)) for x in found
    )


def standardised(numbers: Floats) -> Floats:
    """Numbers about their common mean, in units of their spread, so that sums keep their digits."""
    scaled = numbers / (np.abs(numbers).max() or 1.0)
    centred = scaled - scaled.mean()
    return cast(Floats, centred / (centred.std() or 1.0))


def pearson(totals: Floats) -> Floats:
    """Pearson's correlation, 0 where either side is constant: [R, 6] -> [R]."""
    n, x, y, xx, yy, xy = totals.T
    covariance = n * xy - x * y
    spreads = [
        np.where(spread > ROUNDING * n * squares, spread, 0.0)
        for spread, squares in ((n * xx - x * x, xx), (n * yy - y * y, yy))
    ]
    return share(covariance, np.sqrt(spreads[0]) * np.sqrt(spreads[1]))


def share(covariance: Floats, spread: Floats) -> Floats:
    """The correlation, 0 where nothing is spread: [R], [R] -> [R]."""
    found = np.divide(covariance, spread, out=np.zeros_like(covariance), where=spread > 0)
    return np.clip(found, -1.0, 1.0)


def ranked(wanted: Sequence[Value], answers: Sequence[Sequence[Value]]) -> Ranked:
    """Numbers as their places among the distinct ones; those of all answers together."""
    found = [numbers_of(got) for got in answers]
    distinct = np.unique(np.concatenate(found))
    sought = numbers_of(wanted)
    return Ranked(
        np.searchsorted(np.unique(sought), sought),
        tuple(np.searchsorted(distinct, numbers) for numbers in found),
    )


def ranks_about_mean(places: Counts, weights: Counts) -> Floats:
    """Ranks less their mean, ties at the middle of theirs: [R, N], [R, N] -> [R, N].

    Example n stands weights[r, n] times in resample r.
    """
    resamples, width = len(places), int(places.max()) + 1
    cells = places + width * np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), weights.ravel(), resamples * width)
    counts = counts.reshape(resamples, width)
    middles = np.cumsum(counts, axis=1) - (counts - 1) / 2
    mean_rank = (weights.sum(axis=1, keepdims=True) + 1) / 2
    return cast(Floats, np.take_along_axis(middles, places, axis=1) - mean_rank)


def cosines(one: Floats, other: Floats, weights: Counts) -> Floats:
    """Correlations of what stands about its mean: [R, N], [R, N], [R, N] -> [R]."""
    product, first, second = (
        np.einsum("rn,rn,rn->r", weights, a, b)
        for a, b in ((one, other), (one, one), (other, other))
    )
    return share(product, np.sqrt(first) * np.sqrt(second))


def span_counts(wanted: Sequence[Value], answers: Sequence[Value]) -> Rows:
    """Spans right, answered and wanted of each example: [N, 3]."""
    pairs = [
        (set(cast(list[Span], w)), set(cast(list[Span], g)))
        for w, g in zip(wanted, answers, strict=True)
    ]
    return csr_array([[float(len(w & g)), float(len(g)), float(len(w))] for w, g in pairs])


def f1(totals: Floats) -> Floats:
    """F1 over all spans, 0 where there are none: [R, 3] -> [R]."""
    right, occurs = totals[:, 0], totals[:, 1] + totals[:, 2]
    return np.divide(2 * right, occurs, out=np.zeros_like(right), where=occurs > 0)


def translation_counts(
    scorer: BLEU | CHRF, wanted: Sequence[Value], answers: Sequence[Sequence[Value]]
) -> Additive:
    """The n-gram counts that sacrebleu's own significance tests resample."""
    references = streams(wanted)
    rows = tuple(
        csr_array(
            scorer._extract_corpus_statistics([text_of(value) for value in got], references),
            dtype=np.float64,
        )
        for got in answers
    )

    def score(totals: Floats) -> Floats:
        """Sums of counts to scores: [R, C] -> [R]."""
        sums = totals.astype(int).tolist()
        return np.array([scorer._compute_score_from_stats(row).score for row in sums])

    return Additive(rows, score)
