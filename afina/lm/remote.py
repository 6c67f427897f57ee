"""A language model behind any endpoint of OpenAI's shape."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Literal

from afina.errors import ModelError
from afina.lm.completion_shape import completion_body, read_completion, scored
from afina.lm.connection import Connection
from afina.lm.dialect import Dialect
from afina.lm.openai_shape import Heard, chat_body, read_chat
from afina.lm.prices import Price
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.lm.retry import Setback
from afina.lm.stream import Gathered, Stream
from afina.lm.tokens import Tokens, about_tokens, length, most_tokens

Kind = Literal["chat", "completions"]
KINDS: dict[str, Kind] = {"openai": "chat", "openai-completions": "completions"}  # by provider
PATHS: dict[Kind, str] = {"chat": "chat/completions", "completions": "completions"}


class RemoteLM:
    """A model by its name at an endpoint; connections and limits are the endpoint's."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        *,
        kind: Kind = "chat",
        dialect: Dialect | None = None,
        price: Price | None = None,
    ) -> None:
        self.name = name
        self.connection = connection
        self.kind = kind
        self.dialect = dialect or Dialect()
        self.price = price

    @property
    def identity(self) -> Mapping[str, str]:
        """Endpoint, name, and how it is spoken to; no key."""
        return {
            "provider": "openai",
            "kind": self.kind,
            "endpoint": self.connection.endpoint.url,
            "name": self.name,
            "dialect": json.dumps(asdict(self.dialect), sort_keys=True),
        }

    def most(self, request: Request) -> Reply:
        """The most that a request can take, whatever the tokenizer."""
        tokens = most_tokens(request)
        if self.kind == "completions" and scored(request, self.dialect):
            labels = sum(length(label) + 1 for label in request.labels)
            tokens = Tokens(tokens.read * len(request.labels) + labels, 0)
        return Reply("", read=tokens.read, written=tokens.written, cost=self._cost(tokens))

    async def answer(self, request: Request) -> Reply:
        """One reply; safe to call many times at once.

        Raises:
            CallError: there is none after all attempts.
            ModelError: the model cannot be asked this.
        """
        answered = await self.connection.post(
            PATHS[self.kind],
            self._body(request),
            lambda data: self._read(data, request),
            tokens=self._reserve(request),
            used=lambda reply: reply.read + reply.written,
        )
        return replace(answered.value, seconds=answered.seconds)

    def stream(self, request: Request) -> Stream:
        """A reply as it is written: ``async for`` or ``for`` its pieces, then take ``reply``.

        Raises, while it is read:
            CallError: none began after all attempts, or it was cut.
            ModelError: the model cannot be asked this.
        """
        return Stream(lambda: self._parts(request), self.close)

    async def close(self) -> None:
        """Give back the connections of this event loop."""
        await self.connection.close()

    def _body(self, request: Request) -> dict[str, object]:
        if self.kind == "chat":
            return chat_body(self.name, request, self.dialect)
        return completion_body(self.name, request, self.dialect)

    def _reserve(self, request: Request) -> int:
        """Tokens that a call will take, about, to keep under the limits."""
        return about_tokens(request, "").read + request.max_tokens

    def _read(self, data: object, request: Request) -> Reply | Setback:
        read = read_chat if self.kind == "chat" else read_completion
        heard = read(data, request, self.dialect)
        return heard if isinstance(heard, Setback) else self._reply(request, heard)

    async def _parts(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        """The pieces of a streamed reply, then the whole."""
        if scored(request, self.dialect):
            raise ModelError("labels that are scored are not written; ask for an answer instead")
        body = self._body(request) | {"stream": True, "stream_options": {"include_usage": True}}
        begin, tokens = self.connection.time.now(), self._reserve(request)
        gathered = Gathered()
        path = PATHS[self.kind]
        async with aclosing(self.connection.events(path, body, tokens=tokens)) as events:
            async for event in events:
                piece = gathered.add(event)
                if isinstance(piece, Setback):
                    raise self.connection.failure(piece, 1)
                if piece:
                    yield piece
        reply = self._read(gathered.whole(), request)
        if isinstance(reply, Setback):
            raise self.connection.failure(reply, 1)
        self.connection.rate.settle(tokens, reply.read + reply.written)
        yield replace(reply, seconds=self.connection.time.now() - begin)

    def _reply(self, request: Request, heard: Heard) -> Reply:
        tokens = heard.tokens or about_tokens(request, heard.text)
        return Reply(
            self.connection.endpoint.key.hide(heard.text),
            finish=heard.finish,
            read=tokens.read,
            written=tokens.written,
            cost=self._cost(tokens),
            scores=heard.scores,
            estimated=heard.tokens is None,
        )

    def _cost(self, tokens: Tokens) -> float | None:
        return None if self.price is None else self.price.of(tokens)
