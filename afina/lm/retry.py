"""What is done about a call that failed: whether to try again, and when.

The pause before attempt n + 1 is drawn evenly between nothing and ``first * 2**(n - 1)`` seconds
("full jitter", M. Brooker, Exponential Backoff And Jitter, 2015,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), ``longest`` at most.
Where the server tells when (Retry-After), it is that, and on top up to ``first`` seconds, so that
all who wait do not come back at once.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime

from afina.errors import InputError

AGAIN = {408, 409, 425, 429}  # and 500 to 599, but for the next
NEVER = {501, 505}
HOLDS_ALL = {429, 503}  # the server is full: nobody else is let in either


@dataclass(frozen=True)
class Patience:
    """How long a call is tried."""

    attempts: int = 6  # of a call, at most
    deadline: float = 600.0  # seconds, from the first attempt's start to the last one's end
    connect: float = 10.0  # seconds until there is a connection
    stall: float = 120.0  # seconds without a byte
    first: float = 0.5  # seconds: the longest first pause
    longest: float = 30.0  # seconds: the longest pause

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            InputError: with one of them no call could be made.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value >= 0 if field.name in {"first", "longest"} else value > 0):
                raise InputError(f"expected {field.name} over 0, came {value!r}")


@dataclass(frozen=True)
class Time:
    """What time it is and how to wait; tests give their own."""

    now: Callable[[], float] = time.monotonic  # seconds that only grow
    wall: Callable[[], float] = time.time  # seconds since 1970
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True)
class Setback:
    """Why an attempt gave nothing."""

    reason: str
    final: bool = False  # it would fail again
    told: float | None = None  # seconds that the server asks to wait
    holds_all: bool = False  # it is not about this call alone


def again(status: int) -> bool:
    """Whether an answer of this status may be another the next time."""
    return status in AGAIN or (500 <= status <= 599 and status not in NEVER)


def pause_before(
    attempt: int, setback: Setback, patience: Patience, generator: random.Random
) -> float:
    """Seconds between a failed attempt (the first is 1) and the next."""
    if setback.told is not None:
        return setback.told + generator.uniform(0, patience.first)
    widest = min(patience.longest, patience.first * 2 ** (attempt - 1))
    return generator.uniform(0, widest)


def told_wait(headers: Mapping[str, str], wall: float) -> float | None:
    """Seconds that an answer's headers ask to wait; None where they do not, or not readably."""
    if "retry-after-ms" in headers:
        wait = seconds(headers["retry-after-ms"])
        return None if wait is None else wait / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    wait = seconds(text)
    return date_wait(text, wall) if wait is None else wait


def seconds(text: str) -> float | None:
    """A number of seconds, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def date_wait(text: str, wall: float) -> float | None:
    """Seconds until an HTTP date; 0 where it is past."""
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - wall)
    except (ValueError, OverflowError):
        return None
