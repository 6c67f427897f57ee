"""A time that passes only while somebody waits."""

import asyncio

from afina.lm.retry import Time


class SlowTime:
    """Seconds since the test began, and all pauses that were made."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def time(self) -> Time:
        return Time(now=self.now, wall=lambda: 1_700_000_000.0 + self.seconds, pause=self.pause)

    def now(self) -> float:
        return self.seconds

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)
