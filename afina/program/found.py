"""What a search found: the best program, all trials, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from afina.evaluation.optimism import FEWEST, Optimism, optimism
from afina.program.program import Program
from afina.program.scored import Scored
from afina.program.trial import Trial
from afina.solver import Usage

Ended = Literal["done", "calls", "budget"]


@dataclass(frozen=True)
class Found:
    """``best`` is the number of the trial whose program it is.

    ``ended`` is ``done`` where the search came to its end, ``calls`` where those it was given were
    made, and ``budget`` where the journal's budget refused one. ``flattery`` is the optimism of
    its score; None where there was nothing to choose, or too little to tell.
    """

    program: Program
    best: int
    trials: tuple[Trial, ...]
    usage: Usage
    ended: Ended
    flattery: Optimism | None = None
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """The best trial's score on dev."""
        return self.trials[self.best].score

    def facts(self) -> dict[str, object]:
        """What a run remembers of a search, as plain JSON."""
        told: dict[str, object] = {
            "trials": [trial.to_json() for trial in self.trials],
            "best": self.best,
            "candidates": len(self.trials),
            "ended": self.ended,
            "calls": self.usage.calls,
            "tokens": self.usage.tokens,
            "cost": self.usage.cost,
            "notes": list(self.notes),
        }
        if self.flattery is not None:
            told["optimism"] = self.flattery.optimism
            told["expected"] = self.flattery.expected
        return told


def flattery(scored: Sequence[Scored], best: int) -> Optimism | None:
    """The optimism of the best of those scored on the same examples as it."""
    ids = [mark.example.id for mark in scored[best].marks]
    rows = [
        [mark.score for mark in each.marks]
        for each in (scored[best], *(s for place, s in enumerate(scored) if place != best))
        if [mark.example.id for mark in each.marks] == ids and each.scores
    ]
    return optimism(rows) if len(rows) > 1 and len(ids) >= FEWEST else None
