"""Feedback: a score, and in words what it is for."""

import math
from dataclasses import dataclass

from afina.errors import InputError


@dataclass(frozen=True)
class Feedback:
    """A score with what its giver has to say of the answer."""

    score: float
    text: str = ""


def feedback_of(given: object, giver: str) -> Feedback:
    """What a metric, a reward or a check gave, as a finite score with its words.

    >>> feedback_of(True, "check")
    Feedback(score=1.0, text='')

    Raises:
        InputError: it gave something else.
    """
    found = given if isinstance(given, Feedback) else Feedback(given)  # type: ignore[arg-type]  # checked below
    if not isinstance(found.score, int | float) or not math.isfinite(found.score):
        raise InputError(
            f"expected a finite score, true or false, or Feedback(score, text) of {giver}, got "
            f"{given!r}"
        )
    return Feedback(float(found.score), found.text)
