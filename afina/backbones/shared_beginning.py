"""What rows begin with alike: read once, and kept for the rows that come later."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from afina.backbones.decoder import Decoder
from afina.backbones.frozen import Tokens
from afina.backbones.injection import KeyValues

LEAST = 16  # tokens that are worth a pass of their own
KEPT = 4  # beginnings that are kept, the longest unused forgotten first


@dataclass(frozen=True)
class Beginning:
    """Tokens that were read, behind the model's leading special ones."""

    tokens: tuple[int, ...]
    ready: KeyValues

    def first(self, count: int) -> KeyValues:
        """The keys and values of the first tokens alone."""
        end = self.ready.length - len(self.tokens) + count
        keys, values = self.ready.keys[:, :, :end], self.ready.values[:, :, :end]
        return replace(self.ready, keys=keys, values=values, start=end)


class Beginnings:
    """The beginnings a decoder has read, and rows of late that may begin like the next."""

    def __init__(self, backbone: Decoder) -> None:
        self._backbone = backbone
        self._kept: list[Beginning] = []  # the latest used last
        self._met: list[Tokens] = []

    def of(self, rows: Sequence[Tokens]) -> tuple[int, KeyValues | None]:
        """How many tokens the rows share with what is ready, and that; each keeps a token.

        What several rows share, or a row with one before, is read unless most of it is ready.
        """
        first = rows[0]
        alike = min(common(rows), min(map(len, rows)) - 1)
        best = max(self._kept, key=lambda each: common([each.tokens, first]), default=None)
        ready = 0 if best is None else min(alike, common([best.tokens, first]))
        met = max((common([each, first]) for each in self._met), default=0)
        worth = alike if len(rows) > 1 else min(alike, met)
        if worth - ready >= LEAST:
            best, ready = self._read(first[:worth]), worth
        self._met = [*self._met, first][-KEPT:]
        if best is None or ready < LEAST:
            return 0, None
        self._kept = [*(each for each in self._kept if each is not best), best][-KEPT:]
        return ready, best.first(ready)

    def _read(self, tokens: Tokens) -> Beginning:
        with torch.no_grad():
            return Beginning(tuple(tokens), self._backbone.absorb(tokens))


def common(rows: Sequence[Tokens]) -> int:
    """How many tokens all rows begin with.

    >>> common([[1, 2, 3], [1, 2, 4], [1, 2]])
    2
    """
    count = 0
    for tokens in zip(*rows, strict=False):
        if any(token != tokens[0] for token in tokens):
            break
        count += 1
    return count
