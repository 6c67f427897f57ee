"""What a run tells while it trains, and whom it asks to stop. No torch here: the face uses it."""

from collections.abc import Callable
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
class Watch:
    """What a run tells, and whom it asks to stop; ``at`` names the points of a step (for tests)."""

    show: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], AfinaError | None] = lambda: None
    at: Callable[[str], None] = lambda point: None
    note: Callable[[str], None] = lambda text: None
