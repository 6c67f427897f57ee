"""Variance: how much of a score's uncertainty is the examples, and how much the seeds.

A seed stands for all that it decides in a method. Two causes that it decides together, such as the
start of training and the order of the data, cannot be told apart and are named together.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from afina.evaluation.report import Report
from afina.evaluation.statistics import RESAMPLES, answered_by_all, at, bootstrap
from afina.evaluation.tally import tally
from afina.task.metrics import Metric


@dataclass(frozen=True)
class Variance:
    """Standard deviations of a method's mean score.

    ``examples`` is over other examples, all seeds alike; ``seed`` is of one seed's score on the
    same examples, None where there is but one. ``drawn`` names what a seed decides.
    """

    examples: float
    seed: float | None
    seeds: int
    drawn: str

    @property
    def share_of_seeds(self) -> float | None:
        """The share of the mean score's variance that more seeds would take away."""
        if self.seed is None:
            return None
        of_seeds, of_examples = self.seed**2 / self.seeds, self.examples**2
        return of_seeds / (of_seeds + of_examples) if of_seeds + of_examples else 0.0

    @property
    def untold(self) -> str:
        """What could not be told apart, in words."""
        if not self.drawn:
            return "nothing is drawn: another seed gives the same answers"
        if self.seed is None:
            return f"one seed: how much {self.drawn} matters cannot be told"
        return f"{self.drawn} move with the seed and cannot be told apart"

    def to_json(self) -> dict[str, object]:
        """The variance as plain JSON."""
        return {
            "examples": self.examples,
            "seed": self.seed,
            "share_of_seeds": self.share_of_seeds,
            "untold": self.untold,
        }


def variance(
    metric: Metric, reports: Sequence[Report], drawn: str, *, seed: int = 0
) -> Variance | None:
    """The variance of the mean over seeds, on the examples that all answered; None without any."""
    places = answered_by_all(reports)
    if not reports or not places:
        return None
    scores = tally(metric, *at(reports, places))
    sampled = bootstrap(scores, len(places), len(reports), RESAMPLES, seed)
    own = [report.score for report in reports if report.score is not None]
    return Variance(
        examples=float(sampled.mean(axis=0).std()),
        seed=statistics.stdev(own) if len(own) > 1 else None,
        seeds=len(reports),
        drawn=drawn,
    )
