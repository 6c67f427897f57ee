"""A model of vectors whose calls go through a journal: a text is paid for once, within a budget."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from afina.errors import CallError, ModelError
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.embedding import RemoteEmbedding
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled, check_price
from afina.lm.kept_vectors import find_vectors, keep_vectors, vector_key
from afina.lm.lm import run as wait
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from afina.lm.tokens import Tokens, most_tokens


class Batches:
    """A model of vectors in the place of a language model: a batch of texts is a request.

    Vectors are kept as they come, before the journal is told that the call is done, so none that is
    paid for is lost; the reply tells what they took.
    """

    def __init__(self, remote: RemoteEmbedding, journal: Journal) -> None:
        self.remote = remote
        self.journal = journal
        self.identity: Mapping[str, str] = remote.identity

    def most(self, request: Request) -> Reply:
        """The most that a batch can take, whatever the tokenizer."""
        read = most_tokens(request).read
        price = self.remote.price
        return Reply("", read=read, cost=None if price is None else price.of(Tokens(read, 0)))

    async def answer(self, request: Request) -> Reply:
        """Ask for the vectors of a batch, and keep them.

        Raises:
            CallError: there is no answer after all attempts.
        """
        begun = time.perf_counter()
        texts = [each.content for each in request.messages]
        found = await self.remote.embed(texts)
        keys = [vector_key(self.identity, text) for text in texts]
        vectors = dict(zip(keys, found.vectors, strict=True))
        keep_vectors(self.journal, request.key(self.identity), vectors)
        seconds = time.perf_counter() - begun
        return Reply(
            "", read=found.read, cost=found.cost, seconds=seconds, estimated=found.estimated
        )

    async def close(self) -> None:
        """Give back the connections of this event loop."""
        await self.remote.close()


class JournaledEmbedding:
    """Texts to vectors ``[N, H]``; only texts are sent whose vectors the journal lacks.

    Raises:
        InputError: money is capped, and the price is not known.
    """

    def __init__(
        self,
        remote: RemoteEmbedding,
        journal: Journal,
        budget: Budget = UNLIMITED,
        *,
        run: str = "",
    ) -> None:
        self.remote = remote
        self.journal = journal
        self.calls = Journaled(Batches(remote, journal), journal, budget, run=run)
        check_price(self.calls.source, self.calls.most(batch([""])), budget)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector a text; waits for all, also where an event loop runs.

        Raises:
            CallError: a batch has no answer after all attempts.
            BudgetError: it would go over the budget; what was already sent is kept.
            ModelError: the vectors differ in width.
        """

        async def whole() -> NDArray[np.float32]:
            try:
                return await self.vectors(texts)
            finally:
                await self.calls.close()

        return wait(whole())

    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector a text, out of the journal or paid for."""
        keys = {text: vector_key(self.remote.identity, text) for text in texts}
        found = find_vectors(self.journal, keys.values())
        for _ in found:
            self.journal.replayed(self.calls.source)
        fresh = [text for text, key in keys.items() if key not in found]
        await self.send(fresh)
        found |= find_vectors(self.journal, [keys[text] for text in fresh])
        if len(found) < len(keys):
            raise CallError("vectors were forgotten while more were made; run the same again")
        return self.joined([found[keys[text]] for text in texts])

    async def send(self, fresh: Sequence[str]) -> None:
        """Have the vectors of texts made and kept; what fails stops no other batch."""
        size = self.remote.batch
        starts = range(0, len(fresh), size)
        requests = [batch(fresh[start : start + size]) for start in starts]
        calls = [self.calls.answer(request) for request in requests]
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    def joined(self, vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Vectors as one array; those kept may be of what once stood behind the name."""
        widths = sorted({len(each) for each in vectors})
        if len(widths) > 1:
            raise ModelError(
                f"expected vectors of one width from {self.remote.name!r}, came {widths}; if it is "
                "another model now: afina journal forget --model "
                f"{self.calls.source.model}"
            )
        return np.stack(vectors) if vectors else np.empty((0, 0), np.float32)


def batch(texts: Sequence[str]) -> Request:
    """Texts as one request, which writes nothing."""
    return Request(tuple(Message("user", text) for text in texts), max_tokens=0)
