"""A language model on this machine: requests gather into batches, their beginning is read once."""

import asyncio
import hashlib
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from llguidance import LLTokenizer

from afina.backbones.backbone import Backbone, begin
from afina.backbones.chat import label_tokens_of, tokens_of
from afina.backbones.decoder import Decoder
from afina.backbones.decoder_turn import DecoderTurn
from afina.backbones.frozen import Tokens
from afina.backbones.generation import Generation, ends_of
from afina.backbones.injection import KeyValues
from afina.backbones.schema_rule import SchemaRule, tokenizer_for_rules
from afina.backbones.shared_beginning import Beginnings
from afina.backbones.writing import generate
from afina.errors import AfinaError, CallError, ModelError
from afina.lm.reply import Reply
from afina.lm.request import Request

ROWS = 32  # rows in a batch


@dataclass(frozen=True)
class Row:
    """A request as tokens; from ``begun`` on they stand behind what is ready."""

    request: Request
    tokens: Tokens
    labels: tuple[tuple[int, ...], ...]
    limit: int  # tokens that may be written
    begun: int = 0
    ready: KeyValues | None = None

    @property
    def rest(self) -> Tokens:
        return self.tokens[self.begun :]

    @property
    def kind(self) -> tuple[object, ...]:
        """Rows of one kind share a batch."""
        asked = self.request
        drawn = (asked.temperature, asked.top_p, asked.seed, asked.repeat)
        return self.labels, asked.labels, asked.schema, asked.stop, self.limit, drawn


@dataclass(frozen=True)
class Answer:
    """What a model says to a row."""

    text: str
    finish: str
    written: int
    scores: Mapping[str, float] = field(default_factory=dict)


class LocalLM:
    """A decoder or encoder-decoder that answers requests; labels are scored, not written.

    A decoder reads what requests begin with once and keeps it. Answers do not depend on the
    requests beside them but for rounding, by which words that are as likely may change places.
    """

    def __init__(self, backbone: Backbone) -> None:
        """Raises ModelError where the model writes nothing."""
        frozen = backbone.frozen
        if frozen.kind == "encoder" or not frozen.writes:
            raise ModelError(
                f"{frozen.name} is an encoder or has no head for words, and answers no written "
                "prompt; use a decoder or encoder-decoder, or a method with a head such as "
                "prompt-tuning"
            )
        self.backbone = backbone
        self.identity: Mapping[str, str] = {
            "provider": "local",
            "name": frozen.name,
            "digest": frozen.digest,
            "precision": str(frozen.precision).removeprefix("torch."),
        }
        self._beginnings = Beginnings(backbone) if isinstance(backbone, Decoder) else None
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._working: asyncio.Task[None] | None = None

    def most(self, request: Request) -> Reply:
        """The tokens of the request, and as many as it lets be written; a local call is free."""
        read = len(tokens_of(self.backbone.frozen, request.messages))
        return Reply("", read=read, written=request.max_tokens, cost=0.0)

    async def answer(self, request: Request) -> Reply:
        """One reply, computed beside those of all requests that wait at the time.

        Raises:
            CallError: the request is too long, or asks for what the model cannot do.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((request, future))
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Nothing is held that others could want."""

    async def _work(self) -> None:
        """Answer whatever waits, batch after batch; meanwhile more requests may come."""
        await asyncio.sleep(0)  # requests that were made together come together
        while self._waiting:
            taken, self._waiting = self._waiting, []
            found: Sequence[Reply | BaseException]
            try:
                found = await asyncio.to_thread(self.replies, [request for request, _ in taken])
            except BaseException as error:  # nobody else tells those who wait
                found = [error] * len(taken)
            for (_, future), reply in zip(taken, found, strict=True):
                if future.cancelled():
                    continue
                if isinstance(reply, Reply):
                    future.set_result(reply)
                else:
                    future.set_exception(reply)

    def replies(self, requests: Sequence[Request]) -> list[Reply | CallError]:
        """Replies to many requests, in order; one that cannot be answered gives its error."""
        found: dict[int, Reply | CallError] = {}
        rows: dict[int, Row] = {}
        for place, request in enumerate(requests):
            try:
                rows[place] = self._row(request)
            except AfinaError as error:
                found[place] = CallError(str(error))
        for places in _alike({at: row.request.messages[:-1] for at, row in rows.items()}):
            rows |= self._begun({at: rows[at] for at in places})
        for places in _alike({at: row.kind for at, row in rows.items()}):
            places.sort(key=lambda at: len(rows[at].rest))
            for start in range(0, len(places), ROWS):
                batch = places[start : start + ROWS]
                replies = self._batch([rows[at] for at in batch])
                found |= zip(batch, replies, strict=True)
        return [found[place] for place in range(len(requests))]

    def _row(self, request: Request) -> Row:
        """A request's tokens, if there is room for them and for an answer.

        Raises:
            ModelError: there is not, or the model cannot do what is asked.
            InputError: two labels read alike, or settings or schema cannot be followed.
        """
        frozen = self.backbone.frozen
        if request.tools:
            raise ModelError(f"{frozen.name} calls no tools; ask it without")
        generation(request, max(request.max_tokens, 1))
        if request.schema:
            self._rule(request.schema)
        tokens = tokens_of(frozen, request.messages)
        labels = tuple(tuple(ids) for ids in label_tokens_of(frozen, request))
        places = frozen.positions - len(frozen.lead) - len(frozen.trail)
        least = max(map(len, labels), default=1)
        if self._beginnings is None:  # the answer has places of its own
            spare = places if len(tokens) <= places else 0
        else:
            spare = places - len(tokens)
        if not tokens or spare < least:
            raise ModelError(
                f"expected a request of 1 to {places - least} tokens, for which {frozen.name} has "
                f"places, got {len(tokens)}; shorten the texts or show fewer examples"
            )
        return Row(request, tokens, labels, min(request.max_tokens, spare))

    def _begun(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Rows of one opening, behind what of it is ready."""
        if self._beginnings is None:
            return dict(rows)
        begun, ready = self._beginnings.of([row.tokens for row in rows.values()])
        return {at: replace(row, begun=begun, ready=ready) for at, row in rows.items()}

    def _batch(self, rows: Sequence[Row]) -> list[Reply]:
        clock = time.perf_counter()
        found = self._scored(rows) if rows[0].labels else self._written(rows)
        seconds = (time.perf_counter() - clock) / len(rows)
        return [
            Reply(
                answer.text,
                finish=answer.finish,
                read=len(row.tokens),
                written=answer.written,
                cost=0.0,
                seconds=seconds,
                scores=answer.scores,
            )
            for row, answer in zip(rows, found, strict=True)
        ]

    def _scored(self, rows: Sequence[Row]) -> list[Answer]:
        names, tokens = rows[0].request.labels, rows[0].labels
        with torch.no_grad():
            scores = self.backbone.choose(
                [row.rest for row in rows], tokens, [row.ready for row in rows]
            )
        found = []
        for shares in scores.softmax(dim=-1).tolist():
            best = max(range(len(names)), key=shares.__getitem__)
            scored = dict(zip(names, shares, strict=True))
            found.append(Answer(names[best], "stop", len(tokens[best]), scored))
        return found

    def _written(self, rows: Sequence[Row]) -> list[Answer]:
        asked, limit = rows[0].request, rows[0].limit
        turn = begin(self.backbone, [row.rest for row in rows], [row.ready for row in rows])
        if isinstance(turn, DecoderTurn):  # draws depend on the whole row, however much was ready
            turn = replace(turn, rows=[row.tokens for row in rows])
        rules = [self._rule(asked.schema) for _ in rows] if asked.schema else None
        return [
            Answer(
                text.text.strip(),
                "length" if len(text.tokens) >= limit else "stop",
                len(text.tokens),
            )
            for (text,) in generate(turn, generation(asked, limit), rules)
        ]

    def _rule(self, schema: str) -> SchemaRule:
        return SchemaRule(self._tokenizer, ends_of(self.backbone.frozen), schema)

    @cached_property
    def _tokenizer(self) -> LLTokenizer:
        return tokenizer_for_rules(self.backbone.frozen)


def generation(request: Request, tokens: int) -> Generation:
    """How a request's text is written; what is drawn anew is drawn otherwise."""
    drawn = request.temperature > 0
    named = repr((request.seed, request.repeat)).encode()
    return Generation(
        tokens=tokens,
        temperature=request.temperature,
        top_p=request.top_p if drawn else 1.0,
        stop=request.stop,
        seed=int.from_bytes(hashlib.sha256(named).digest()[:6]),
    )


def _alike(keys: Mapping[int, Hashable]) -> list[list[int]]:
    """The places of equal keys together."""
    groups: dict[Hashable, list[int]] = {}
    for place, key in keys.items():
        groups.setdefault(key, []).append(place)
    return list(groups.values())
