"""Where a decoder stands behind rows that it has read: it may answer them, or read on."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from afina.backbones.attention import Fronts, Pass
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.layout import check_room, padded
from afina.errors import ModelError


@dataclass(frozen=True)
class Batch:
    """Left-padded rows: ``prompt | pad | text``, the prompt as keys and values.

    Where a cache holds the beginning of the text, only the mask tells of it.
    """

    words: dict[str, Tensor]  # input_ids [B, T], or inputs_embeds [B, T, H] where rows hold slots
    mask: Bool[Tensor, "B S"]
    positions: Int[Tensor, "B T"]
    fronts: Fronts


@dataclass(frozen=True)
class DecoderTurn:
    """Rows that were read: the model's own cache of them, behind the prompts in front."""

    frozen: Frozen
    rows: Sequence[Tokens]
    batch: Batch  # what was read last
    logits: Float[Tensor, "B V"]  # of each row's next token
    cache: Any  # transformers' own; a turn's stays as it is, and what goes on forks it

    def speak(self, *, tokens: int) -> "DecoderSpeech":
        """A text a row, which may become ``tokens`` long.

        Raises:
            ModelError: there is no room for so many.
        """
        check_places(self.frozen, int(self.batch.positions.max()) + 1 + tokens)
        return DecoderSpeech(self)

    def then(self, rows: Sequence[Tokens]) -> "DecoderTurn":
        """The next turn: these tokens behind each row, read on the cache of what was before.

        What the model has replied is not read yet: these begin with it.

        Raises:
            ModelError: there is no room for so many, or a row has none.
        """
        check_not_empty(rows)
        ids, real = padded(rows, self.frozen.pad, left=True, device=self.batch.mask.device)
        step = (real.cumsum(dim=1) - 1).clamp(min=0)
        positions = self.batch.positions[:, -1:] + 1 + step  # [B, T]
        check_places(self.frozen, int(positions.max()) + 1)
        mask = torch.cat([self.batch.mask, real], dim=1)  # [B, S+T]
        whole = [[*before, *row] for before, row in zip(self.rows, rows, strict=True)]
        batch = Batch({"input_ids": ids}, mask, positions, self.batch.fronts)
        return read(self.frozen, whole, batch, forked(self.cache))


class DecoderSpeech:
    """Texts being written behind a turn's rows."""

    def __init__(self, turn: DecoderTurn) -> None:
        self._now = replace(turn, cache=forked(turn.cache))

    @property
    def logits(self) -> Float[Tensor, "R V"]:
        return self._now.logits

    def advance(self, ids: Int[Tensor, "R"]) -> None:
        now, batch = self._now, self._now.batch
        mask, position = F.pad(batch.mask, (0, 1), value=True), batch.positions[:, -1:] + 1
        grown = Batch({"input_ids": ids[:, None]}, mask, position, batch.fronts)
        self._now = read(now.frozen, now.rows, grown, now.cache)

    def take(self, texts: Int[Tensor, "R"]) -> None:
        """The texts of one row stand side by side, and share what is in front of it."""
        now, batch = self._now, self._now.batch
        now.cache.reorder_cache(texts)
        chosen = replace(batch, mask=batch.mask[texts], positions=batch.positions[texts])
        self._now = replace(now, batch=chosen, logits=now.logits[texts])


def read(frozen: Frozen, rows: Sequence[Tokens], batch: Batch, cache: Any = None) -> DecoderTurn:
    """The turn behind a batch; a cache that is given grows by it."""
    last = torch.tensor([-1], device=batch.mask.device)  # a slice would be multiplied row by row
    with torch.no_grad(), frozen.computing():
        output = frozen.model(
            **batch.words,
            attention_mask=batch.mask.long(),
            position_ids=batch.positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=last,
            **Pass(batch.fronts).keywords,
        )
    return DecoderTurn(frozen, rows, batch, output.logits[:, -1], output.past_key_values)


def forked(cache: Any) -> Any:  # transformers' own
    """A cache that grows apart; its tensors are shared where growing makes new ones."""
    fork = copy.copy(cache)
    fork.layers = [
        copy.copy(layer) if isinstance(layer, DynamicLayer) else copy.deepcopy(layer)
        for layer in cache.layers
    ]
    return fork


def check_not_empty(rows: Sequence[Tokens]) -> None:
    """Refuse rows of which one has no token."""
    if not all(rows):
        raise ModelError("a row is empty; a decoder needs at least one token to continue from")


def check_places(frozen: Frozen, places: int) -> None:
    """Refuse what is longer than the position table, or than the layers look back."""
    check_room(frozen, places)
    window = getattr(frozen.model.config, "sliding_window", None)
    if window is not None and places > window:
        raise ModelError(
            f"prompt and text take {places} places, but layers of {frozen.name} look "
            f"back {window} only; shorten the prompt or the text"
        )
