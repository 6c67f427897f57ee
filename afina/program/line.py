"""The line from flows in threads to a language model in one event loop."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from afina.errors import CallError
from afina.lm.lm import LM
from afina.lm.reply import Missing, Reply
from afina.lm.request import Request


class StoppedError(Exception):
    """A flow asks though the run has ended: it is let go, and what ended the run is raised."""


class Line:
    """Takes the requests of many threads to one language model, ``concurrency`` at once."""

    def __init__(self, lm: LM, loop: asyncio.AbstractEventLoop, concurrency: int) -> None:
        self.lm = lm
        self.loop = loop
        self.gate = asyncio.Semaphore(concurrency)
        self.open = True
        self.lock = threading.Lock()  # no request slips in beside a cut
        self.waiting: set[Future[list[Reply | Missing]]] = set()

    def ask(self, requests: Sequence[Request]) -> list[Reply | Missing]:
        """Replies in order, for a thread that is not the loop's.

        Raises:
            BudgetError: the budget is spent.
            StoppedError: the run has ended.
        """
        with self.lock:
            if not self.open:
                raise StoppedError
            future = asyncio.run_coroutine_threadsafe(self.gathered(requests), self.loop)
            self.waiting.add(future)
        try:
            return future.result()
        except CancelledError as error:
            raise StoppedError from error
        finally:
            self.waiting.discard(future)

    async def gathered(self, requests: Sequence[Request]) -> list[Reply | Missing]:
        """All replies; one that fails for good stops none that is under way."""
        found = await asyncio.gather(*map(self.one, requests), return_exceptions=True)
        replies: list[Reply | Missing] = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            replies.append(each)
        return replies

    async def one(self, request: Request) -> Reply | Missing:
        """One reply, or why there is none."""
        async with self.gate:
            if not self.open:
                raise StoppedError
            try:
                return await self.lm.answer(request)
            except CallError as error:
                return Missing(str(error), error.attempts)

    def shut(self) -> None:
        """Send nothing more; what is under way is waited for."""
        self.open = False

    def cut(self) -> None:
        """Send nothing more and wait for nothing; called in the loop's thread."""
        with self.lock:
            self.open = False
            left = list(self.waiting)
        for future in left:
            future.cancel()
