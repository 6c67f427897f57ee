"""A reply as it is written: server-sent events, read piece by piece.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

from afina.lm.openai_shape import FAULTY, no_answer
from afina.lm.reply import Reply
from afina.lm.retry import Setback

DONE = "[DONE]"


class Stream:
    """A reply's pieces, by ``async for`` or ``for``; then ``reply`` is the whole with its cost."""

    def __init__(
        self,
        parts: Callable[[], AsyncGenerator[str | Reply, None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self.reply: Reply | None = None
        self._parts = parts
        self._close = close

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        async with aclosing(self._parts()) as parts:
            async for part in parts:
                match part:
                    case str():
                        yield part
                    case Reply():
                        self.reply = part

    def __iter__(self) -> Iterator[str]:
        """The pieces, from an event loop in a thread of its own; the model is closed at the end."""
        pieces = self.__aiter__()

        async def following() -> str | None:
            return await anext(pieces, None)

        async def end() -> None:
            await pieces.aclose()
            await self._close()

        with ThreadPoolExecutor(1) as pool:
            runner = asyncio.Runner()
            try:
                while (piece := pool.submit(runner.run, following()).result()) is not None:
                    yield piece
            finally:
                pool.submit(runner.run, end()).result()
                pool.submit(runner.close).result()


async def events(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[str]:
    """The data of each event; one that is not ended by an empty line is none."""
    rest, data = b"", list[bytes]()
    async with aclosing(parts):
        async for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in (each.removesuffix(b"\r") for each in lines):
                if line.startswith(b"data:"):
                    data.append(line[5:].removeprefix(b" "))
                elif not line and data:
                    yield b"\n".join(data).decode(errors="replace")
                    data = []


class Gathered:
    """The pieces of a streamed answer, put together as the answer that was not streamed."""

    def __init__(self) -> None:
        self.text = ""
        self.refusal = ""
        self.finish: str | None = None
        self.calls: dict[int, dict[str, str]] = {}
        self.steps: list[object] = []
        self.usage: object = None

    def add(self, event: Any) -> str | Setback:  # Any: JSON as it came
        """Take an event in; the text that it brought."""
        try:
            self.usage = event.get("usage") or self.usage
            if not event["choices"]:
                return ""
            choice = event["choices"][0]
            self.finish = choice.get("finish_reason") or self.finish
            return self._add_choice(choice)
        except FAULTY:
            return no_answer(event)

    def whole(self) -> dict[str, object]:
        """The answer; without a choice where the last piece never came."""
        if self.finish is None:
            return {"error": f"the stream was cut after {len(self.text)} characters"}
        calls = [{"function": self.calls[index]} for index in sorted(self.calls)]
        message = {"content": self.text, "refusal": self.refusal, "tool_calls": calls}
        choice = {
            "message": message,
            "text": self.text,
            "finish_reason": self.finish,
            "logprobs": {"content": self.steps},
        }
        return {"choices": [choice], "usage": self.usage}

    def _add_choice(self, choice: Any) -> str:  # Any: JSON as it came
        delta = choice.get("delta") or {}
        piece = str(choice.get("text") or delta.get("content") or "")
        self.text += piece
        self.refusal += str(delta.get("refusal") or "")
        self.steps += (choice.get("logprobs") or {}).get("content") or []
        for call in delta.get("tool_calls") or []:
            made = self.calls.setdefault(call["index"], {"name": "", "arguments": ""})
            for field in made:
                made[field] += call["function"].get(field) or ""
        return piece
