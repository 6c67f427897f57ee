"""Learning rates over a training: a warm-up, a plateau, and a straight way down to nothing.

Warm-up, stable, decay: Hu et al. 2024, https://arxiv.org/abs/2404.06395. The plateau has no length
of its own, so a training may be told to end by the clock: from then on the end is a step.
"""

from dataclasses import dataclass

WARM = 200  # steps of the warm-up
SHARE = 0.25  # of all steps: the way down


@dataclass(frozen=True)
class Schedule:
    """``end`` is the step after the last, None while that is not known."""

    end: int | None = None

    def rate(self, step: int) -> float:
        """The share of the highest rate at a step."""
        warm = min(1.0, (step + 1) / WARM)
        if self.end is None:
            return warm
        return min(warm, (self.end - step) / max(1, round(SHARE * self.end)))

    def ending(self, step: int) -> "Schedule":
        """A schedule whose way down begins here.

        >>> Schedule().ending(750)
        Schedule(end=1000)
        """
        return Schedule(round(step / (1 - SHARE)))
