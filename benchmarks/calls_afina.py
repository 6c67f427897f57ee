"""Afina's side of the calls benchmark, and the floor: aiohttp alone, with nothing around it."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from afina.lm.connection import Connection
from afina.lm.endpoint import Endpoint
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import LM, gather
from afina.lm.rate import Limits
from afina.lm.remote import RemoteLM
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from benchmarks.calls_measure import SYSTEM, Contender, main


class Afina:
    """A remote model, under a journal where a cache is wanted."""

    def __init__(self, folder: str) -> None:
        self.journal = Journal(Path(folder, "journal.sqlite"))

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        connection = Connection(Endpoint(url), limits=Limits(concurrency=concurrency))
        model = RemoteLM("tiny", connection)
        lm = Journaled(model, self.journal) if cached else model
        return asyncio.run(self.all(lm, texts, concurrency))

    async def all(self, lm: LM, texts: Sequence[str], concurrency: int) -> list[str]:
        system = Message("system", SYSTEM)
        requests = [Request((system, Message("user", text)), max_tokens=64) for text in texts]
        try:
            replies = await gather(lm, requests, concurrency)
        finally:
            await lm.close()
        return [reply.text for reply in replies if isinstance(reply, Reply)]

    def forget_memory(self) -> bool:
        self.journal.close()
        self.journal = Journal(self.journal.path)
        return True


class Floor:
    """Post, read, parse: what any client on aiohttp must do."""

    def __init__(self, folder: str) -> None:
        pass

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        return asyncio.run(self.all(url, texts, concurrency))

    async def all(self, url: str, texts: Sequence[str], concurrency: int) -> list[str]:
        gate = asyncio.Semaphore(concurrency)
        connector = aiohttp.TCPConnector(limit=concurrency)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(text: str) -> str:
                messages = [{"role": "system", "content": SYSTEM}]
                messages.append({"role": "user", "content": text})
                body = {"model": "tiny", "messages": messages, "max_tokens": 64}
                async with gate, session.post(f"{url}/chat/completions", json=body) as answer:
                    found = json.loads(await answer.read())
                    return str(found["choices"][0]["message"]["content"])

            return await asyncio.gather(*map(one, texts))

    def forget_memory(self) -> bool:
        return False


CONTENDERS: dict[str, type[Contender]] = {"afina": Afina, "floor": Floor}

if __name__ == "__main__":
    main(CONTENDERS)
