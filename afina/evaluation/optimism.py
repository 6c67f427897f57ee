"""Optimism: by how much the score of the best of K candidates flatters it.

Candidates that are chosen on the examples they are scored on look better than they are. If one is
chosen on ``m`` random examples of ``n``, what it scores there less what it scores on the others is,
on average, the optimism of choosing on ``m`` (the out-of-sample estimate of I. Tsamardinos, E.
Greasidou and G. Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", Machine Learning 2018, https://doi.org/10.1007/s10994-018-5714-4). We
take it at ``n / 4`` and ``n / 2``, which steadies it, and go on to ``n`` by the same factor, which
is at most ``√½``, that of candidates that are all the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afina.errors import InputError
from afina.evaluation.power import examples_needed
from afina.evaluation.statistics import ALPHA
from afina.evaluation.tally import Floats

SPLITS = 400  # random parts of the examples on which a candidate is chosen
FEWEST = 8  # examples of which a quarter can choose


@dataclass(frozen=True)
class Optimism:
    """The best of K candidates on ``n`` examples, and how far its score is to be believed.

    ``score - optimism`` is what other examples may be expected to give. ``sure`` is how often half
    of the examples chooses the same candidate; ``more`` is about how many more examples would set
    it apart from the second best, None where the two score the same or there is no second.
    """

    best: int
    score: float
    optimism: float
    sure: float
    more: int | None
    candidates: int
    n: int

    @property
    def expected(self) -> float:
        """The score without its optimism."""
        return self.score - self.optimism

    def to_json(self) -> dict[str, object]:
        """The optimism as plain JSON."""
        return {**vars(self), "expected": self.expected}


def optimism(scores: Sequence[Sequence[float | None]], *, seed: int = 0) -> Optimism:
    """The optimism of the best of K candidates from each one's score of each example: [K, n].

    None is a missing score, which counts neither way. Of equal candidates the first is the best.

    Raises: InputError where there is no candidate, a candidate without any score, or fewer than 8
    examples.
    """
    cells = matrix(scores)
    means = np.nanmean(cells, axis=1)
    best, n = int(means.argmax()), cells.shape[1]
    generator = np.random.default_rng(seed)
    quarter, _ = gap(cells, n // 4, generator)
    half, chosen = gap(cells, n // 2, generator)
    factor = min(math.sqrt(0.5), half / quarter) if quarter > 0 else 0.0
    return Optimism(
        best=best,
        score=float(means[best]),
        optimism=max(0.0, half * factor) if len(cells) > 1 else 0.0,
        sure=float((chosen == best).mean()),
        more=examples_to_settle(cells, means),
        candidates=len(cells),
        n=n,
    )


def matrix(scores: Sequence[Sequence[float | None]]) -> Floats:
    """The scores as numbers, NaN where missing: [K, n]."""
    widths = {len(row) for row in scores}
    if len(widths) != 1 or min(widths) < FEWEST:
        raise InputError(
            f"expected candidates scored on the same examples, {FEWEST} or more, came "
            f"{len(scores)} on {sorted(widths)}; score each on all of them"
        )
    cells = np.array(
        [[np.nan if score is None else score for score in row] for row in scores], dtype=np.float64
    )
    if np.isnan(cells).all(axis=1).any():
        raise InputError("expected candidates with scores, came one without any; leave it out")
    return cells


def gap(
    cells: Floats, size: int, generator: np.random.Generator
) -> tuple[float, NDArray[np.int64]]:
    """The mean optimism of choosing on ``size`` random examples, and whom each split chose: [R]."""
    chosen_on = generator.random((SPLITS, cells.shape[1])).argsort(axis=1) < size  # [R, n]
    inside, outside = means_on(cells, chosen_on), means_on(cells, ~chosen_on)  # [R, K]
    chosen = np.where(np.isnan(inside), -np.inf, inside).argmax(axis=1)
    splits = np.arange(SPLITS)
    return float(np.nanmean((inside - outside)[splits, chosen])), chosen


def means_on(cells: Floats, places: NDArray[np.bool_]) -> Floats:
    """Each candidate's mean over the examples of each split; NaN where none has a score."""
    there = places.astype(np.float64) @ (~np.isnan(cells)).T.astype(np.float64)
    sums = places.astype(np.float64) @ np.nan_to_num(cells).T
    return np.divide(sums, there, out=np.full_like(sums, np.nan), where=there > 0)


def examples_to_settle(cells: Floats, means: Floats) -> int | None:
    """How many more examples would set the best apart from the second, counting all it beat."""
    if len(cells) == 1:
        return None
    second, best = (int(place) for place in np.argsort(means, kind="stable")[-2:])
    differences = cells[best] - cells[second]
    differences = differences[~np.isnan(differences)]
    if len(differences) < 2 or differences.mean() <= 0:
        return None
    level = ALPHA / (len(cells) - 1)
    needed = examples_needed(float(differences.mean()), float(differences.std(ddof=1)), level)
    return max(0, needed - len(differences))
