"""A process that asks through a journal until it is done or kills itself, for the tests beside."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from afina.errors import BudgetError
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.reply import Reply
from afina.lm.request import Message, Request


def right(number: int) -> str:
    """The answer to a key of the test."""
    return f"answer {number * number}"


class Counting:
    """Notes each fetch in a file before it answers; may die in the midst of one."""

    def __init__(self, notes: Path, deadly: str) -> None:
        self.identity = {"provider": "counting", "name": "m"}
        self.notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.deadly = deadly

    def most(self, request: Request) -> Reply:
        return Reply("", read=1, written=9, cost=0.10)

    async def answer(self, request: Request) -> Reply:
        text = request.messages[-1].content
        os.write(self.notes, f"{text}\n".encode())
        await asyncio.sleep(0)
        if text == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return Reply(right(int(text)), read=1, written=2, cost=0.03)

    async def close(self) -> None:
        os.close(self.notes)


async def work(folder: Path, order: dict[str, Any]) -> None:
    """Ask for keys by chance, eight at once; ``own`` is a key that no other process has."""
    draws = random.Random(order["seed"])
    inner = Counting(folder / "notes", str(order["own"]) if order["dies"] else "")
    journal = Journal(folder / "journal.sqlite")
    lm = Journaled(inner, journal, Budget(money=order["money"]), run="r")

    async def ask(numbers: list[int]) -> None:
        for number in numbers:
            reply = await lm.answer(Request((Message("user", str(number)),)))
            assert reply.text == right(number), (reply, number)

    count = order["operations"] // 8
    each = [[draws.randrange(order["keys"]) for _ in range(count)] for _ in range(8)]
    each[0][order["seed"] % count] = order["own"]
    try:
        await asyncio.gather(*map(ask, each))
    except BudgetError as error:
        print(error)
    await lm.close()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), json.loads(sys.argv[2])))
