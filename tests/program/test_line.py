"""The line from threads to a loop, where both act at one time."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM
from afina.program.line import Line, StoppedError


def test_what_is_asked_while_a_line_is_cut_is_let_go() -> None:
    """Broken by cutting what waits while a request is sent and not yet among it."""
    adding, cut = threading.Event(), threading.Event()

    class Slow(set[Future[list[Reply | Missing]]]):
        def add(self, future: Future[list[Reply | Missing]]) -> None:
            adding.set()
            cut.wait(0.3)
            super().add(future)

    class Stuck(ScriptedLM):
        async def answer(self, request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def whole() -> None:
        line = Line(Stuck({}, name="stuck"), asyncio.get_running_loop(), 1)
        line.waiting = Slow()
        asking = asyncio.create_task(
            asyncio.to_thread(line.ask, [Request((Message("user", "x"),))])
        )
        await asyncio.to_thread(adding.wait)
        line.cut()
        cut.set()
        with pytest.raises(StoppedError):
            await asyncio.wait_for(asking, 5)

    asyncio.run(whole())
