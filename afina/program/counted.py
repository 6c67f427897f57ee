"""A language model that counts: no request is sent twice, and none over a number of calls."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from afina.errors import BudgetError
from afina.lm.lm import LM
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.solver import Usage


class Purse:
    """The calls that a search may make, whichever model they go to, and what they took.

    A reply that a journal replays counts as it did when it was paid, so that a search that goes on
    after a stop sees what it saw before.
    """

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.under_way = 0
        self.usage = Usage()
        self.refused = False

    @property
    def left(self) -> int:
        """Calls that can still be made."""
        return self.calls - self.usage.calls - self.under_way

    def take(self) -> None:
        """Reserve a call; raises BudgetError where none is left."""
        if self.left <= 0:
            self.refused = True
            raise BudgetError(f"the {self.calls} calls planned for the search are made")
        self.under_way += 1

    def settle(self, reply: Reply | None) -> None:
        """Count a call that ended; one that failed gives its place back."""
        self.under_way -= 1
        if reply is not None:
            self.usage += Usage(1, reply.read + reply.written, reply.cost or 0.0)


class Counted:
    """A language model whose different requests are counted in a purse."""

    def __init__(self, lm: LM, purse: Purse) -> None:
        self.lm = lm
        self.purse = purse
        self.replies: dict[str, Reply] = {}
        self.flights: dict[str, asyncio.Task[Reply]] = {}

    @property
    def identity(self) -> Mapping[str, str]:
        return self.lm.identity

    def most(self, request: Request) -> Reply:
        """The most that a request can take."""
        return self.lm.most(request)

    async def answer(self, request: Request) -> Reply:
        """One reply; the one it gave before to an equal request.

        Raises:
            CallError: there is none after all attempts.
            BudgetError: no call is left; nothing was sent.
        """
        key = request.key(self.identity)
        if key in self.replies:
            return replace(self.replies[key], replayed=True)
        if key not in self.flights:
            self.purse.take()
            flight = asyncio.create_task(self.send(key, request))
            self.flights[key] = flight
            flight.add_done_callback(lambda _: self.flights.pop(key))
        return await asyncio.shield(self.flights[key])

    async def send(self, key: str, request: Request) -> Reply:
        """Ask the model, and settle what was reserved."""
        reply = None
        try:
            reply = await self.lm.answer(request)
        finally:
            self.purse.settle(reply)
        self.replies[key] = reply
        return reply

    async def close(self) -> None:
        """Give back the model's connections."""
        await self.lm.close()
