"""Beam search over the texts of a batch.

As transformers does it where nothing is set, to which a test holds it: a text's score is the mean
log-probability of its tokens, and a row is settled when none of the texts still being written has,
at its present length, a better score than the worst of those that have ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from afina.backbones.generation import Bounds, Generation, Text, Turn

NEVER = -1e9  # the score of a text that must not be gone on with


@dataclass
class _Search:
    """A row's beam search: what is still being written, and the best that has ended."""

    live: list[Text]
    ended: list[Text]
    settled: bool = False


def search(turn: Turn, settings: Generation, bounds: Bounds) -> list[Text]:
    """The best texts of a beam search, ``returns`` of a row side by side."""
    count = settings.beams
    speech = turn.speak(tokens=settings.tokens)
    speech.take(repeated(len(turn.rows), count, speech.logits.device))
    start = [Text(), *[Text(total=NEVER)] * (count - 1)]  # the first step has one beam
    searches = [_Search(start, []) for _ in turn.rows]
    for place in range(settings.tokens):
        totals = torch.tensor([[text.total for text in each.live] for each in searches])
        scores = speech.logits.float().log_softmax(dim=-1).unflatten(0, totals.shape)  # [B, N, V]
        size = scores.shape[2]
        scores = (scores + totals.to(scores.device)[:, :, None]).flatten(1)
        best = scores.topk(min(max(2, 1 + len(bounds.ends)) * count, scores.shape[1]))
        sources: list[int] = []
        for number, search in enumerate(searches):
            found = zip(best.values[number].tolist(), best.indices[number].tolist(), strict=True)
            candidates = [(total, *divmod(index, size)) for total, index in found]
            last = place + 1 == settings.tokens
            chosen = _step(search, candidates, bounds, count=count, last=last)
            sources += [number * count + source for source in chosen]
        if all(search.settled for search in searches):
            break
        speech.take(torch.tensor(sources, device=scores.device))
        words = [text.tokens[-1] for search in searches for text in search.live]
        speech.advance(torch.tensor(words, device=scores.device))
    return [text for search in searches for text in search.ended[: settings.returns]]


def _step(
    search: _Search,
    candidates: Sequence[tuple[float, int, int]],
    bounds: Bounds,
    *,
    count: int,
    last: bool,
) -> list[int]:
    """Move a row's search on by candidates (total, beam, token), the best first.

    Returns the beam that each of the texts still being written comes from.
    """
    live, sources, ended = [], [], list(search.ended)
    for rank, (total, beam, token) in enumerate(candidates):
        text = search.live[beam].with_token(token, total)
        if not (last or bounds.are_reached(text)):
            live.append(text)
            sources.append(beam)
        elif rank < count:
            ended.append(text)
    if not search.settled:
        search.ended = sorted(ended, key=lambda text: -text.score)[:count]
    filler = Text(search.live[0].with_token(candidates[0][2], NEVER).tokens, NEVER)
    missing = max(count - len(live), 0)
    search.live = [*live[:count], *[filler] * missing]
    full = len(search.ended) == count
    search.settled |= last or (full and search.live[0].score <= search.ended[-1].score)
    return [*sources[:count], *[0] * missing]


def repeated(rows: int, times: int, device: torch.device) -> Int[Tensor, "R"]:
    return torch.arange(rows, device=device).repeat_interleave(times)
