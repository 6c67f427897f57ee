"""What a language model gives back: a text with its cost, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """A text, and what it took.

    ``scores`` are probabilities of the labels asked for, where the model scored them; the text is
    then the best. A replayed reply keeps the cost and seconds of the call that was paid.
    """

    text: str
    finish: str = "stop"  # stop | length | filter | tools: why the text ends
    read: int = 0  # tokens
    written: int = 0  # tokens
    cost: float | None = None  # dollars; None: the price is not known
    seconds: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    replayed: bool = False
    estimated: bool = False  # the server counted no tokens; these follow a rule


@dataclass(frozen=True)
class Missing:
    """A call that failed for good; it has no score, not a score of 0."""

    reason: str
    attempts: int = 1
