"""A frozen causal decoder; every prompt of it is a prefix of keys and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from afina.backbones.attention import Pass, Prefix
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Embeddings, Injection, Injections, KeyValues, distinct
from afina.backbones.layout import check_fits, check_room, padded
from afina.errors import ModelError


@dataclass(frozen=True)
class Batch:
    """Left-padded rows: ``prompt | pad | text``, the prompt as keys and values."""

    ids: Int[Tensor, "B T"]
    mask: Bool[Tensor, "B T"]
    positions: Int[Tensor, "B T"]
    prefix: Prefix | None


@dataclass(frozen=True)
class Decoder:
    """GPT-2, Llama and their kin.

    A prompt's own places are computed once a batch, not once a row: a causal model gives every
    row the same keys and values for them.
    """

    frozen: Frozen

    @cached_property
    def sites(self) -> dict[nn.Module, int]:
        """The attention modules in the order in which a pass meets them."""
        kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        with torch.no_grad():
            self._trunk(self.frozen.embed([self.frozen.pad])[None], kept)
        return {module: place for place, module in enumerate(kept)}

    def absorb(self, prompt: Embeddings | Tokens) -> KeyValues:
        """Keys and values of the leading special tokens and a prompt, by one pass.

        Gradients reach the prompt's vectors. Written tokens and vectors are treated alike.
        """
        if isinstance(prompt, Embeddings):
            check_fits(self.frozen, prompt)
            vectors = torch.cat([self.frozen.embed(self.frozen.lead), prompt.vectors])
        else:
            vectors = self.frozen.embed([*self.frozen.lead, *prompt])
        length = len(vectors)
        check_room(self.frozen, length)
        kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        # a model cannot read nothing: an empty prompt is a filler's keys and values, cut to none
        self._trunk((vectors if length else self.frozen.embed([self.frozen.pad]))[None], kept)
        return KeyValues(
            torch.stack([key[0, :, :length] for key, _ in kept.values()]),  # [L, K, P, D]
            torch.stack([value[0, :, :length] for _, value in kept.values()]),
        )

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B H"]:
        """The last layer's state of the last token, which has read the whole row."""
        batch = self._batch(rows, injections)
        with self.frozen.computing():
            output = self.frozen.model.base_model(
                input_ids=batch.ids,
                attention_mask=batch.mask.long(),
                position_ids=batch.positions,
                use_cache=False,
                prompt=Pass(batch.prefix),
            )
        states: Tensor = output.last_hidden_state
        return states[:, -1].float()

    def loss(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, ""]:
        """Mean negative log-likelihood of the target tokens; logits only where a target stands."""
        whole = [[*row, *target] for row, target in zip(rows, targets, strict=True)]
        batch = self._batch([row[:-1] for row in whole], injections)
        width = max(len(target) for target in targets)
        logits = self._logits(batch, keep=width)  # [B, width, V]
        wanted, _ = padded(targets, -100, left=True, device=logits.device)
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    def choose(
        self, rows: Sequence[Tokens], labels: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B C"]:
        """Log-probability of each label's tokens behind each row.

        The row is read once; its keys and values then stand in front of every label.
        """
        batch = self._batch(rows, injections)
        kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        first = self._logits(batch, keep=1, kept=kept)[:, 0].log_softmax(dim=-1)  # [B, V]
        read = self._extend(batch, kept)
        scores = [first[:, label[0]] + self._rest(batch, read, label) for label in labels]
        return torch.stack(scores, dim=1)

    def write(
        self, rows: Sequence[Tokens], injections: Injections, *, tokens: int
    ) -> list[list[int]]:
        """The likeliest continuation, token by token, up to ``tokens`` or the end token."""
        batch = self._batch(rows, injections)
        check_room(self.frozen, int(batch.positions.max()) + 1 + tokens)
        end = self.frozen.tokenizer.eos_token_id
        mask, position, cache, ids = batch.mask, batch.positions, None, batch.ids
        written: list[list[int]] = [[] for _ in rows]
        done = torch.zeros(len(rows), dtype=torch.bool, device=ids.device)
        for _ in range(tokens):
            with self.frozen.computing():
                output = self.frozen.model(
                    input_ids=ids,
                    attention_mask=mask.long(),
                    position_ids=position,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                    prompt=Pass(batch.prefix),
                )
            ids = output.logits[:, -1].argmax(dim=-1, keepdim=True)  # [B, 1]
            done = done | (ids[:, 0] == end)
            for row, token, over in zip(written, ids[:, 0].tolist(), done.tolist(), strict=True):
                if not over:
                    row.append(token)
            if bool(done.all()):
                break
            mask = F.pad(mask, (0, 1), value=True)
            position, cache = position[:, -1:] + 1, output.past_key_values
        return written

    def _trunk(self, vectors: Tensor, kept: dict[nn.Module, tuple[Tensor, Tensor]]) -> None:
        places = torch.arange(vectors.shape[1], device=vectors.device)[None]
        with self.frozen.computing():
            self.frozen.model.base_model(
                inputs_embeds=vectors,
                position_ids=places,
                use_cache=False,
                prompt=Pass(kept=kept),
            )

    def _logits(
        self, batch: Batch, *, keep: int, kept: dict[nn.Module, tuple[Tensor, Tensor]] | None = None
    ) -> Float[Tensor, "B keep V"]:
        with self.frozen.computing():
            output = self.frozen.model(
                input_ids=batch.ids,
                attention_mask=batch.mask.long(),
                position_ids=batch.positions,
                use_cache=False,
                logits_to_keep=keep,
                prompt=Pass(batch.prefix, kept),
            )
        logits: Tensor = output.logits
        return logits.float()

    def _batch(self, rows: Sequence[Tokens], injections: Injections) -> Batch:
        if not all(rows):
            raise ModelError("a row is empty; a decoder needs at least one token to continue from")
        device = self.frozen.model.device
        if all(injection is None for injection in injections):
            rows = [[*self.frozen.lead, *row] for row in rows]
            prefix, starts = None, torch.zeros(len(rows), dtype=torch.long, device=device)
        else:
            prefix, starts = self._prefix(injections)
        ids, mask = padded(rows, self.frozen.pad, left=True, device=device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + starts[:, None]
        check_room(self.frozen, int(positions.max()) + 1)
        self._check_window(int(positions.max()) + 1)
        return Batch(ids, mask, positions, prefix)

    def _check_window(self, places: int) -> None:
        window = getattr(self.frozen.model.config, "sliding_window", None)
        if window is not None and places > window:
            raise ModelError(
                f"prompt and text take {places} places, but layers of {self.frozen.name} look "
                f"back {window} only; shorten the prompt or the text"
            )

    def _prefix(self, injections: Injections) -> tuple[Prefix, Int[Tensor, "B"]]:
        """The rows' prompts side by side, shorter ones filled and hidden, and their lengths."""
        unique, which = distinct(injections)
        absorbed = [self._key_values(injection) for injection in unique]
        device = self.frozen.model.device
        lengths = torch.tensor([prompt.length for prompt in absorbed], device=device)
        longest, rows = int(lengths.max()), torch.tensor(which, device=device)
        keys = torch.stack([_fill(prompt.keys, longest) for prompt in absorbed])
        values = torch.stack([_fill(prompt.values, longest) for prompt in absorbed])
        visible = None
        if len(unique) == 1:  # one prompt for all rows: a view, no copy
            keys, values = (part.expand(len(which), -1, -1, -1, -1) for part in (keys, values))
        else:
            keys, values = keys.index_select(0, rows), values.index_select(0, rows)
            visible = torch.arange(longest, device=device)[None] < lengths[rows][:, None]
        prefix = Prefix(self.sites, keys.unbind(1), values.unbind(1), visible)
        return prefix, lengths[rows]

    def _key_values(self, injection: Injection | None) -> KeyValues:
        match injection:
            case None:
                return self.absorb(())
            case Embeddings():
                return self.absorb(injection)
            case KeyValues():
                return injection

    def _extend(self, batch: Batch, kept: dict[nn.Module, tuple[Tensor, Tensor]]) -> Prefix:
        """The prompt and the row that was read, as one prefix."""
        keys = [key for key, _ in kept.values()]
        values = [value for _, value in kept.values()]
        visible, front = batch.mask, batch.prefix
        if front is not None:
            keys = [torch.cat(pair, dim=2) for pair in zip(front.keys, keys, strict=True)]
            values = [torch.cat(pair, dim=2) for pair in zip(front.values, values, strict=True)]
            seen = front.visible
            if seen is None:
                seen = torch.ones_like(visible[:, :1]).expand(-1, front.keys[0].shape[2])
            visible = torch.cat([seen, visible], dim=1)  # [B, P+T]
        return Prefix(self.sites, keys, values, visible)

    def _rest(self, batch: Batch, read: Prefix, label: Tokens) -> Float[Tensor, "B"]:
        """Log-probability of a label's tokens behind its first."""
        if len(label) == 1:
            return torch.zeros(len(batch.ids), device=batch.ids.device)
        tokens = torch.tensor(label, device=batch.ids.device)
        ids = tokens[:-1].expand(len(batch.ids), -1)  # [B, n-1]
        step = torch.arange(1, len(label), device=ids.device)
        positions = batch.positions[:, -1:] + step
        check_room(self.frozen, int(positions.max()) + 1)
        rest = Batch(ids, torch.ones_like(ids, dtype=torch.bool), positions, read)
        scores = self._logits(rest, keep=0).log_softmax(dim=-1)  # [B, n-1, V]; 0 keeps all
        return scores.gather(2, tokens[1:].expand(len(ids), -1)[:, :, None])[:, :, 0].sum(dim=1)


def _fill(part: Float[Tensor, "L K P D"], length: int) -> Float[Tensor, "L K N D"]:
    return F.pad(part, (0, 0, 0, length - part.shape[2]))
