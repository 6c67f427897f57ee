"""A language model: one face for remote, local and scripted ones, async inside, sync outside."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, runtime_checkable

from afina.errors import CallError
from afina.lm.reply import Missing, Reply
from afina.lm.request import Request

T = TypeVar("T")


@runtime_checkable
class LM(Protocol):
    """Text in, text out, at a cost."""

    @property
    def identity(self) -> Mapping[str, str]:
        """All that tells this model from others: provider, endpoint, name, digests. No secrets."""

    def most(self, request: Request) -> Reply:
        """The most that a request can take: tokens and, where a price is known, dollars."""

    async def answer(self, request: Request) -> Reply:
        """One reply; safe to call many times at once.

        Raises:
            CallError: there is none after all attempts.
            BudgetError: it would go over the budget; nothing was sent.
        """

    async def close(self) -> None:
        """Give back connections; the model can be asked again afterwards."""


async def gather(
    lm: LM, requests: Sequence[Request], concurrency: int = 32
) -> list[Reply | Missing]:
    """Ask for many replies at once, in order; a call that fails is missing and stops no other.

    Raises:
        BudgetError: the budget is spent; what was already sent was waited for, and is journalled.
    """
    gate = asyncio.Semaphore(concurrency)

    async def one(request: Request) -> Reply | Missing:
        async with gate:
            try:
                return await lm.answer(request)
            except CallError as error:
                return Missing(str(error), error.attempts)

    found = await asyncio.gather(*map(one, requests), return_exceptions=True)
    replies: list[Reply | Missing] = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        replies.append(each)
    return replies


def ask(lm: LM, requests: Sequence[Request], concurrency: int = 32) -> list[Reply | Missing]:
    """Ask for many replies at once and wait for all; also where an event loop already runs."""

    async def whole() -> list[Reply | Missing]:
        try:
            return await gather(lm, requests, concurrency)
        finally:
            await lm.close()

    return run(whole())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine: in a loop of its own, in a thread of its own if one runs here."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
