"""A language model that says what it is told to: for tests, recordings and the README."""

import asyncio
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from afina.errors import CallError
from afina.lm.reply import Reply
from afina.lm.request import Request

WORD = re.compile(r"\S+")
Answers = Mapping[str, str] | Sequence[str] | Callable[[Request], str]


class ScriptedLM:
    """Answers from a table, a sequence or a function; a word is a token.

    A table's keys are the last turn's text, or all turns' with an empty line between. A sequence
    is said in order. A function is told from others by ``name``: without one, nothing it said is
    ever replayed by another.
    """

    def __init__(self, answers: Answers, *, name: str = "", price: float | None = 0.0) -> None:
        self.answers = answers
        self.price = price  # dollars a token; None: not known
        self.identity: Mapping[str, str] = {
            "provider": "scripted",
            "name": name,
            "digest": digest_of(answers, name),
        }
        self.asked: list[Request] = []

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return len(self.asked)

    def most(self, request: Request) -> Reply:
        """The words of the request, and as many as it lets be written."""
        return self.priced("", read_by(request), request.max_tokens)

    async def answer(self, request: Request) -> Reply:
        """What the script says; cut, as by any model, where it is longer than asked for.

        Raises:
            CallError: the script has no answer.
        """
        self.asked.append(request)
        place = self.calls - 1
        await asyncio.sleep(0)
        said = self.said(request, place)
        words = list(WORD.finditer(said))
        if len(words) <= request.max_tokens:
            return self.priced(said, read_by(request), len(words))
        cut = said[: words[request.max_tokens].start()].rstrip()
        return replace(self.priced(cut, read_by(request), request.max_tokens), finish="length")

    def said(self, request: Request, place: int) -> str:
        """The script's text for a request that is the ``place``-th."""
        if callable(self.answers):
            return self.answers(request)
        turns = [each.content for each in request.messages]
        if isinstance(self.answers, Mapping):
            for text in (turns[-1], "\n\n".join(turns)):
                if text in self.answers:
                    return self.answers[text]
            raise CallError(f"expected a request that the script knows, got {turns[-1]!r}; add it")
        if place >= len(self.answers):
            raise CallError(
                f"expected at most {len(self.answers)} calls, as many as the script has answers,"
                f" got call {place + 1}; add answers"
            )
        return self.answers[place]

    def priced(self, text: str, read: int, written: int) -> Reply:
        """A reply with its cost."""
        cost = None if self.price is None else self.price * (read + written)
        return Reply(text, read=read, written=written, cost=cost)

    async def close(self) -> None:
        """Nothing is held."""


def read_by(request: Request) -> int:
    """The words of all turns."""
    return sum(len(each.content.split()) for each in request.messages)


def digest_of(answers: Answers, name: str) -> str:
    """What tells a script from others: its content, or for a function its name."""
    if callable(answers):
        return name or uuid.uuid4().hex
    content = dict(answers) if isinstance(answers, Mapping) else list(answers)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
