"""How fast an endpoint is asked: requests and tokens a minute, and nobody while it is full."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields

from afina.errors import InputError

MINUTE = 60.0


@dataclass(frozen=True)
class Limits:
    """What an endpoint allows; more is never asked."""

    concurrency: int = 32  # calls open at once
    requests_per_minute: float | None = None  # None: as many as it takes
    tokens_per_minute: float | None = None  # read and written
    answer_bytes: int = 16 * 2**20  # of an answer; a longer one is refused

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            InputError: one lets nothing through.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value > 0:
                raise InputError(f"expected {field.name} over 0, came {value!r}")


class Bucket:
    """So much a minute, spread evenly; at rest it saves up a second's worth, or one.

    A token bucket that may owe: who takes what is not there waits until it has flowed in.
    """

    def __init__(self, per_minute: float, now: Callable[[], float]) -> None:
        self.rate = per_minute / MINUTE  # a second
        self.most = max(1.0, self.rate)
        self.level = self.most
        self.now = now
        self.then = now()

    def take(self, amount: float) -> float:
        """Take so much; seconds to wait before using it."""
        self._flow()
        self.level -= amount
        return max(0.0, -self.level / self.rate)

    def put_back(self, amount: float) -> None:
        """Return what was taken and not used."""
        self._flow()
        self.level = min(self.most, self.level + amount)

    def _flow(self) -> None:
        now = self.now()
        self.level = min(self.most, self.level + (now - self.then) * self.rate)
        self.then = now


class Rate:
    """The limits of one endpoint, for all who ask it, in any thread."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        self.requests = None if requests is None else Bucket(requests, now)
        self.tokens = None if tokens is None else Bucket(tokens, now)
        self.now = now
        self.until = now()
        self.lock = threading.Lock()

    def claim(self, tokens: int) -> float:
        """Reserve one request of so many tokens; seconds to wait before sending it."""
        with self.lock:
            waits = [0.0]
            if self.requests:
                waits.append(self.requests.take(1))
            if self.tokens:
                waits.append(self.tokens.take(tokens))
        return max(waits)

    def settle(self, claimed: int, used: int) -> None:
        """Return the tokens that were reserved and not used."""
        if self.tokens:
            with self.lock:
                self.tokens.put_back(claimed - used)

    def hold(self, seconds: float) -> None:
        """Let nobody send for so long."""
        with self.lock:
            self.until = max(self.until, self.now() + seconds)

    def held(self) -> float:
        """Seconds for which nobody may send."""
        return max(0.0, self.until - self.now())
