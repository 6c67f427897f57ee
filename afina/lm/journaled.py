"""A language model whose calls go through a journal: paid once, replayed, and held in a budget."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from afina.errors import AfinaError, CallError, InputError
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.calls import Call, Ending, Source, source_of
from afina.lm.commits import Commits
from afina.lm.journal import Journal
from afina.lm.lm import LM
from afina.lm.reply import Reply
from afina.lm.request import Request

SHORTEST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1
Place = tuple[asyncio.AbstractEventLoop, str]


class Journaled:
    """A language model that asks another only what its journal cannot answer.

    Equal requests at one time make one call, in all processes that share the journal. A call that
    is under way is not stopped when those who wait for it are; what fails, fails for all of them,
    and a later request tries anew.
    """

    def __init__(
        self,
        lm: LM,
        journal: Journal,
        budget: Budget = UNLIMITED,
        *,
        run: str = "",
        patience: float = 5.0,  # seconds that calls under way have when it is closed
    ) -> None:
        self.lm = lm
        self.journal = journal
        self.budget = budget
        self.patience = patience
        self.identity: Mapping[str, str] = lm.identity
        self.source = source_of(self.identity, run)
        self.commits = Commits(journal.transaction)
        self.flights: dict[Place, asyncio.Task[Reply]] = {}

    def most(self, request: Request) -> Reply:
        """The most that a request can take, where the journal has no answer."""
        return self.lm.most(request)

    async def answer(self, request: Request) -> Reply:
        """One reply, replayed or paid for.

        Raises:
            CallError: there is none after all attempts.
            BudgetError: it would go over the budget; nothing was sent.
            InputError: money is capped, and the price is not known.
        """
        key = request.key(self.identity)
        place = (asyncio.get_running_loop(), key)
        flight = self.flights.get(place)
        if flight is not None:
            return self.replayed(await asyncio.shield(flight))
        kept = self.journal.find(key)
        if kept is not None:
            return self.replayed(kept)
        flight = asyncio.create_task(self.fetch(key, request))
        self.flights[place] = flight
        flight.add_done_callback(lambda _: self.flights.pop(place))
        return await asyncio.shield(flight)

    async def fetch(self, key: str, request: Request) -> Reply:
        """Make a call, or wait for whoever makes it."""
        call = Call(key, self.identity, request, self.source)
        most = self.lm.most(request)
        check_price(self.source, most, self.budget)
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            claimed = await self.claim(call, most)
            if isinstance(claimed, Reply):
                return self.replayed(claimed)
            if claimed is not None:
                reply = await self.send(claimed, request)
                if await self.end(claimed, Ending("done", reply)):
                    return self.journal.remember(key, reply)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self.journal.release()

    async def claim(self, call: Call, most: Reply) -> int | Reply | None:
        """The journal's leave to make a call; given back if nobody is left to make it."""
        claimed = self.commits.write(
            lambda connection: self.journal.claim(connection, call, most, self.budget)
        )
        try:
            return await claimed
        except asyncio.CancelledError:
            if not claimed.cancelled() and claimed.exception() is None:
                self.give_up(claimed.result())
            raise

    def give_up(self, claimed: int | Reply | None) -> None:
        """Hand back a call that was claimed, and that nobody is left to make."""
        if isinstance(claimed, int):
            self.journal.lose(claimed)

    async def send(self, number: int, request: Request) -> Reply:
        """Ask the model; whatever ends this, the journal knows."""
        try:
            return await self.lm.answer(request)
        except CallError as error:
            await self.end(number, failure(error, error.attempts))
            raise
        except AfinaError as error:
            await self.end(number, failure(error, 1))
            raise
        except BaseException:  # stopped, or a bug: nobody knows what was sent
            self.journal.lose(number)
            raise

    async def end(self, number: int, ending: Ending) -> bool:
        """Let the journal know how a call ended; it does though nobody waits any more."""
        return await self.commits.write(
            lambda connection: self.journal.end(connection, number, ending), owed=True
        )

    def replayed(self, reply: Reply) -> Reply:
        """A reply that costs nothing this time, counted as such."""
        self.journal.replayed(self.source)
        return reply if reply.replayed else replace(reply, replayed=True)

    async def close(self) -> None:
        """Give back the model's connections, which can be used again; the journal stays open.

        Calls under way have a few seconds to end, for they are paid for. A journal that was
        written to takes some 30 ms to close, so whoever made it does that.
        """
        loop = asyncio.get_running_loop()
        mine = [flight for (each, _), flight in self.flights.items() if each is loop]
        if mine:
            _, late = await asyncio.wait(mine, timeout=self.patience)
            for flight in late:
                flight.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.lm.close()
        self.journal.write_replays()


def check_price(source: Source, most: Reply, budget: Budget) -> None:
    """Refuse to count money where a price is not known."""
    if budget.money is not None and most.cost is None:
        raise InputError(
            f"expected a price of {source.model!r} to hold {budget.money:g} dollars, got none; tell"
            " its price, or cap calls or tokens instead of money"
        )


def failure(error: AfinaError, attempts: int) -> Ending:
    """The end of a call that has no answer; it took nothing that we were told of."""
    return Ending("failed", Reply("", cost=0.0), attempts, str(error))
