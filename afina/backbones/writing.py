"""Writing token by token, whatever the family: the likeliest token, drawn ones, or a search."""

import hashlib
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from afina.backbones.beam_search import repeated, search
from afina.backbones.generation import Bounds, Generation, Reply, Rule, Text, Turn
from afina.errors import InputError


def generate(
    turn: Turn, settings: Generation, rules: Sequence[Rule] | None = None
) -> list[list[Reply]]:
    """The texts of each row, the best first where they were searched for.

    What is drawn for a row depends on the seed and its tokens, not on the rows beside it. ``rules``
    hold one text a row to a form.
    """
    bounds = Bounds(turn.frozen, settings.stop)
    assert rules is None or settings.returns == 1, "a rule follows one text"
    texts = (
        search(turn, settings, bounds)
        if settings.beams > 1
        else _run(turn, settings, bounds, rules)
    )
    replies = [bounds.reply(text) for text in texts]
    return [
        replies[first : first + settings.returns]
        for first in range(0, len(replies), settings.returns)
    ]


def stream(turn: Turn, settings: Generation) -> Iterator[str]:
    """The one row's text piece by piece, as soon as nothing to come can change a piece.

    Raises:
        InputError: there are several rows or texts, or a beam search.
    """
    if len(turn.rows) != 1 or settings.returns != 1 or settings.beams != 1:
        raise InputError(
            f"expected one text to stream, got {len(turn.rows)} rows of {settings.returns} and "
            f"{settings.beams} beams; generate those"
        )
    return _pieces(turn, settings, Bounds(turn.frozen, settings.stop))


def _run(
    turn: Turn, settings: Generation, bounds: Bounds, rules: Sequence[Rule] | None
) -> list[Text]:
    """Texts without a search, ``returns`` of a row side by side."""
    texts = [Text() for _ in range(len(turn.rows) * settings.returns)]
    open_texts = list(range(len(texts)))
    for ids, scores in _words(turn, settings, rules):
        for number in open_texts:
            text = texts[number]
            texts[number] = text.with_token(ids[number], text.total + scores[number])
        open_texts = [number for number in open_texts if not bounds.are_reached(texts[number])]
        if not open_texts:
            break
    return texts


def _pieces(turn: Turn, settings: Generation, bounds: Bounds) -> Iterator[str]:
    text, said = Text(), 0
    for ids, scores in _words(turn, settings):
        text = text.with_token(ids[0], text.total + scores[0])
        if bounds.are_reached(text):
            break
        ready = bounds.settled(text)
        if len(ready) > said:
            yield ready[said:]
            said = len(ready)
    rest = bounds.reply(text).text[said:]
    if rest:
        yield rest


def _words(
    turn: Turn, settings: Generation, rules: Sequence[Rule] | None = None
) -> Iterator[tuple[list[int], list[float]]]:
    """The next token of every text and its log-probability, step by step."""
    speech = turn.speak(tokens=settings.tokens)
    draws = _draws(turn, settings).to(speech.logits.device)  # [R, N]
    if settings.returns > 1:
        speech.take(repeated(len(turn.rows), settings.returns, speech.logits.device))
    for place in range(settings.tokens):
        logits = speech.logits.float()
        if rules is not None:
            allowed = torch.stack([rule.allowed(logits.shape[1]) for rule in rules])  # [R, V]
            logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
        ids = logits.argmax(dim=-1)
        if settings.temperature > 0:
            ids = drawn(logits, draws[:, place], settings)
        scores = logits.log_softmax(dim=-1).gather(1, ids[:, None])[:, 0]
        for rule, token in zip(rules or (), ids.tolist(), strict=rules is not None):
            rule.take(token)
        yield ids.tolist(), scores.tolist()
        if place + 1 < settings.tokens:
            speech.advance(ids)


def _draws(turn: Turn, settings: Generation) -> Float[Tensor, "R N"]:
    """A number in [0, 1) for each token of each text, from a generator of the text's own."""
    if settings.temperature == 0:
        return torch.zeros(len(turn.rows), settings.tokens)
    generator = torch.Generator()
    found = []
    for row in turn.rows:
        for number in range(settings.returns):
            named = repr((settings.seed, number, list(row))).encode()
            generator.manual_seed(int.from_bytes(hashlib.sha256(named).digest()[:7]))
            found.append(torch.rand(settings.tokens, generator=generator))
    return torch.stack(found)


def drawn(
    logits: Float[Tensor, "R V"], draws: Float[Tensor, "R"], settings: Generation
) -> Int[Tensor, "R"]:
    """The token whose share of the probability, laid end to end, a number in [0, 1) falls into."""
    scores = logits.double() / settings.temperature
    if settings.top_k:
        least = scores.topk(min(settings.top_k, scores.shape[1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if settings.top_p < 1:
        best = scores.sort(dim=-1, descending=True)
        shares = best.values.softmax(dim=-1)
        over = shares.cumsum(dim=-1) - shares >= settings.top_p  # enough stand before it
        scores = scores.masked_fill(over.scatter(1, best.indices, over), -torch.inf)
    reached = scores.softmax(dim=-1).cumsum(dim=-1)  # [R, V]
    wanted = draws.double()[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, wanted, right=True)[:, 0]
