"""What a run tells while it trains, and whom it asks to stop. No torch here: the face uses it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from afina.errors import AfinaError


@dataclass(frozen=True)
class Progress:
    """What is shown while a run trains."""

    step: int
    steps: int
    loss: float
    best: float
    seconds_left: float


@dataclass(frozen=True)
class Tried:
    """What is shown of a candidate that a search has scored on ``n`` rows."""

    number: int
    how: str
    score: float
    low: float | None
    high: float | None
    n: int
    leads: bool


@dataclass(frozen=True)
class Board:
    """What is shown while a search runs: its candidates, what it spent, what is left."""

    tried: Sequence[Tried]
    calls: int
    most: int  # calls that it may make
    tokens: int
    cost: float
    seconds_left: float


@dataclass(frozen=True)
class Watch:
    """What a run tells, and whom it asks to stop; ``at`` names the points of a step (for tests).

    Where there is no ``board`` to draw on, a search notes each score in a line.
    """

    show: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], AfinaError | None] = lambda: None
    at: Callable[[str], None] = lambda point: None
    note: Callable[[str], None] = lambda text: None
    board: Callable[[Board], None] | None = None
