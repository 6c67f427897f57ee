"""Vectors of texts from an embeddings endpoint of OpenAI's shape.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afina.errors import ModelError
from afina.lm.connection import Connection
from afina.lm.lm import run
from afina.lm.openai_shape import FAULTY, counted, no_answer
from afina.lm.prices import Price
from afina.lm.retry import Setback
from afina.lm.tokens import BYTES, Tokens, length

PATH = "embeddings"


@dataclass(frozen=True)
class Embedded:
    """Vectors, one a text, and what they took."""

    vectors: NDArray[np.float32]  # [N, H]
    read: int  # tokens
    cost: float | None  # dollars; None: the price is not known
    estimated: bool  # the server did not count


@dataclass(frozen=True)
class Batch:
    """One answer of the endpoint."""

    vectors: NDArray[np.float32]  # [n, H]
    read: int
    estimated: bool


class RemoteEmbedding:
    """An embedding model by its name at an endpoint; ``texts -> vectors`` when it is called."""

    def __init__(
        self, name: str, connection: Connection, *, price: Price | None = None, batch: int = 64
    ) -> None:
        self.name = name
        self.connection = connection
        self.price = price
        self.batch = batch

    @property
    def identity(self) -> Mapping[str, str]:
        """Endpoint and name; no key."""
        return {
            "provider": "openai",
            "kind": "embeddings",
            "endpoint": self.connection.endpoint.url,
            "name": self.name,
        }

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector a text, ``[N, H]``; waits for all, also where an event loop runs.

        Raises:
            CallError: a batch has no answer after all attempts.
            ModelError: the answers' vectors differ in width.
        """

        async def whole() -> Embedded:
            try:
                return await self.embed(texts)
            finally:
                await self.close()

        return run(whole()).vectors

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector a text, in batches that are sent at once as far as the limits allow.

        Raises:
            CallError: a batch has no answer after all attempts.
            ModelError: the answers' vectors differ in width.
        """
        starts = range(0, len(texts), self.batch)
        parts = [list(texts[start : start + self.batch]) for start in starts]
        found = await asyncio.gather(*map(self._ask, parts), return_exceptions=True)
        batches = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            batches.append(each)
        return self._joined(batches)

    async def close(self) -> None:
        """Give back the connections of this event loop."""
        await self.connection.close()

    async def _ask(self, texts: Sequence[str]) -> Batch:
        body = {"model": self.name, "input": texts, "encoding_format": "float"}
        guess = about(texts)
        answered = await self.connection.post(
            PATH,
            body,
            lambda data: read_vectors(data, texts),
            tokens=guess,
            used=lambda batch: batch.read,
        )
        return answered.value

    def _joined(self, batches: Sequence[Batch]) -> Embedded:
        widths = {each.vectors.shape[1] for each in batches}
        if len(widths) > 1:
            raise ModelError(
                f"expected vectors of one width from {self.name!r}, came {sorted(widths)}; are "
                "there several models behind the endpoint?"
            )
        empty = np.empty((0, *(widths or {0})), np.float32)
        read = sum(each.read for each in batches)
        return Embedded(
            np.concatenate([empty, *(each.vectors for each in batches)]),
            read,
            None if self.price is None else self.price.of(Tokens(read, 0)),
            any(each.estimated for each in batches),
        )


def read_vectors(data: Any, texts: Sequence[str]) -> Batch | Setback:  # Any: JSON as it came
    """The vectors of an answer, in the order of the texts."""
    try:
        rows = {row["index"]: row["embedding"] for row in data["data"]}
        vectors = np.array([rows[place] for place in range(len(texts))], np.float32)
        tokens = counted(data)
    except FAULTY:
        return no_answer(data)
    if vectors.ndim != 2 or len(rows) != len(texts) or not np.isfinite(vectors).all():
        return Setback(f"expected {len(texts)} vectors of one width, came {vectors.shape}")
    return Batch(vectors, tokens.read if tokens else about(texts), tokens is None)


def about(texts: Sequence[str]) -> int:
    """A guess of the tokens, for servers that do not count."""
    return sum(-(-length(text) // BYTES) for text in texts)
