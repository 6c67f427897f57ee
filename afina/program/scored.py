"""A program on examples: each one's score or none, with its trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from afina.evaluation.statistics import interval
from afina.program.trace import Trace
from afina.solver import Value
from afina.task.example import Example
from afina.task.metrics import mean_of

TOLERATED_MISSING = 0.1  # of a trial's examples; with more of them it has no score


@dataclass(frozen=True)
class Mark:
    """One example: its score, None where a call failed, what is said of it, and its trace.

    A reply that cannot be read is the prompt's own fault, and counts as 0 in the choice.
    """

    example: Example
    score: float | None
    feedback: str
    trace: Trace


@dataclass(frozen=True)
class Scored:
    """The marks of one program on some examples."""

    marks: tuple[Mark, ...]

    @property
    def scores(self) -> list[float]:
        """The scores that are there."""
        return [mark.score for mark in self.marks if mark.score is not None]

    @property
    def missing(self) -> int:
        """Examples of which a call failed."""
        return len(self.marks) - len(self.scores)

    @property
    def mean(self) -> float | None:
        """The mean score; None where there are no examples, or too many are missing."""
        if not self.scores or self.missing > TOLERATED_MISSING * len(self.marks):
            return None
        return fmean(self.scores)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The interval of the mean."""
        return None if self.mean is None else bounds(self.scores)


def differences(one: Scored, other: Scored) -> list[float]:
    """One's score less the other's on each example of which neither is missing."""
    pairs = zip(one.marks, other.marks, strict=True)
    return [a.score - b.score for a, b in pairs if a.score is not None and b.score is not None]


def own(score: Value, wanted: Value) -> float:
    """A score as its own metric."""
    assert isinstance(score, int | float)
    return float(score)


def bounds(scores: Sequence[float]) -> tuple[float, float]:
    """The interval of a mean of scores.

    >>> [round(bound, 2) for bound in bounds([1.0, 1.0, 0.0, 1.0])]
    [0.3, 0.95]
    """
    return interval(mean_of(own), list(scores), list(scores))
