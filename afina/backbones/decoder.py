"""A frozen causal decoder; every prompt of it is a prefix of keys and values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from afina.backbones.attention import Front, Fronts, Kept, Pass
from afina.backbones.decoder_turn import (
    Batch,
    DecoderTurn,
    check_not_empty,
    check_places,
    read,
)
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.generation import Generation
from afina.backbones.injection import Embeddings, Injections, KeyValues, distinct
from afina.backbones.layout import check_fits, check_named, check_room, own_tokens, padded, place
from afina.backbones.sites import (
    Place,
    Site,
    check_takes_fronts,
    fronts_of,
    key_values_of,
    sites_of,
)
from afina.backbones.writing import generate


@dataclass(frozen=True)
class Decoder:
    """GPT-2, Llama and their kin.

    A prompt's own places are computed once a batch, not once a row: a causal model gives every
    row the same keys and values for them.
    """

    frozen: Frozen

    def sites(self) -> tuple[Site, ...]:
        """The attention sites in the order in which a pass meets them.

        Raises:
            ModelError: the model computes attention in a way of its own.
        """
        return self._sites

    def read(self, text: Tokens) -> KeyValues:
        """The keys and values of a written text at all sites, without special tokens.

        The text that follows them begins with those.
        """
        with torch.no_grad():
            kept = self._trunk(self.frozen.embed(text)[None])
        return replace(key_values_of(kept, slice(None)), start=len(text))

    def absorb(self, prompt: Embeddings | Tokens) -> KeyValues:
        """Keys and values of the leading special tokens and a prompt, by one pass.

        A prompt that stands before the special tokens is read without them. Gradients reach the
        prompt's vectors. Written tokens and vectors are treated alike.
        """
        vectors = (
            prompt if isinstance(prompt, Embeddings) else Embeddings(self.frozen.embed(prompt))
        )
        return self._absorb_all([vectors])[0]

    def states(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B T H"]:
        """The last layer's states of the rows' own tokens, right-padded with zeros."""
        batch = self._batch(rows, injections)
        width = batch.mask.shape[1]
        starts = torch.tensor([width - len(row) for row in rows], device=batch.mask.device)
        return own_tokens(self._states(batch), starts, rows)

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B H"]:
        """The last layer's state of the last token, which has read the whole row."""
        return self._states(self._batch(rows, injections))[:, -1]

    def likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B"]:
        """Log-probability of each row's target tokens; logits only where a target stands."""
        return self.token_likelihood(rows, targets, injections).sum(dim=1)

    def token_likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B W"]:
        """The same token by token, right-padded with zeros."""
        scores = self._target_logits(rows, targets, injections)
        wanted, _ = padded(targets, -100, left=True, device=scores.device)
        found = F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), reduction="none")
        order = to_the_left(targets, found.device)
        return -found.view(wanted.shape).gather(1, order)

    def logits(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B W V"]:
        """What the model says of all words where a target's tokens stand, in turn.

        Behind a target that is shorter than the longest, numbers follow that mean nothing.
        """
        scores = self._target_logits(rows, targets, injections)
        order = to_the_left(targets, scores.device)
        return scores.gather(1, order[:, :, None].expand_as(scores))

    def choose(
        self, rows: Sequence[Tokens], labels: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B C"]:
        """Log-probability of each label's tokens behind each row.

        The row is read once; its keys and values then stand in front of every label.
        """
        batch = self._batch(rows, injections)
        kept: list[Kept] = []
        first = self._logits(batch, keep=1, kept=kept)[:, 0].log_softmax(dim=-1)  # [B, V]
        read = _extend(batch, kept)
        scores = [first[:, label[0]] + self._rest(batch, read, label) for label in labels]
        return torch.stack(scores, dim=1)

    def write(
        self, rows: Sequence[Tokens], injections: Injections, *, tokens: int
    ) -> list[list[int]]:
        """The likeliest continuation, token by token, up to ``tokens`` or the end token."""
        return [
            list(text.tokens)
            for (text,) in generate(self.begin(rows, injections), Generation(tokens=tokens))
        ]

    def begin(self, rows: Sequence[Tokens], injections: Injections) -> DecoderTurn:
        """Read rows behind their prompts, to ``generate`` or ``stream`` from."""
        with torch.no_grad():
            batch = self._batch(rows, injections)
        return read(self.frozen, rows, batch)

    def _target_logits(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B W V"]:
        """What is said where targets stand, each at the right end of its row."""
        whole = [[*row, *target] for row, target in zip(rows, targets, strict=True)]
        batch = self._batch([row[:-1] for row in whole], injections)
        return self._logits(batch, keep=max(len(target) for target in targets))

    @cached_property
    def _sites(self) -> tuple[Site, ...]:
        check_takes_fronts(self.frozen)
        with torch.no_grad():
            kept = self._trunk(self.frozen.embed([self.frozen.pad])[None])
        return sites_of(kept, [Place.DECODER] * len(kept))

    def _absorb_all(self, prompts: Sequence[Embeddings]) -> list[KeyValues]:
        """Prompts of any lengths, absorbed in one pass; what fills the shorter is read by none."""
        for prompt in prompts:
            check_fits(self.frozen, prompt)
        lead = self.frozen.embed(self.frozen.lead)
        before = [lead[:0] if prompt.before_lead else lead for prompt in prompts]
        whole = [
            torch.cat([first, prompt.vectors.to(lead.dtype)])
            for first, prompt in zip(before, prompts, strict=True)
        ]
        lengths = [len(vectors) for vectors in whole]
        longest = max(lengths)
        check_room(self.frozen, longest)
        if not longest:  # a model cannot read nothing: a filler's keys and values are cut to none
            whole = [self.frozen.embed([self.frozen.pad])] * len(prompts)
        kept = self._trunk(nn.utils.rnn.pad_sequence(whole, batch_first=True))
        keys = torch.stack([each.keys for each in kept], dim=1).unbind()
        values = torch.stack([each.values for each in kept], dim=1).unbind()  # N times [S, K, P, D]
        return [
            KeyValues(
                key[:, :, :length],
                value[:, :, :length],
                start=length,
                lead=not prompt.before_lead,
            )
            for key, value, length, prompt in zip(keys, values, lengths, prompts, strict=True)
        ]

    def _trunk(self, vectors: Float[Tensor, "B N H"]) -> list[Kept]:
        """What the attention keeps of vectors that begin a text."""
        check_takes_fronts(self.frozen)
        kept: list[Kept] = []
        places = torch.arange(vectors.shape[1], device=vectors.device)[None]
        with self.frozen.computing():
            self.frozen.model.base_model(
                inputs_embeds=vectors,
                position_ids=places,
                use_cache=False,
                **Pass(kept=kept).keywords,
            )
        return kept

    def _states(self, batch: Batch) -> Float[Tensor, "B T H"]:
        with self.frozen.computing():
            output = self.frozen.model.base_model(
                **batch.words,
                attention_mask=batch.mask.long(),
                position_ids=batch.positions,
                use_cache=False,
                **Pass(batch.fronts).keywords,
            )
        states: Tensor = output.last_hidden_state
        return states.float()

    def _logits(
        self, batch: Batch, *, keep: int, kept: list[Kept] | None = None
    ) -> Float[Tensor, "B keep V"]:
        with self.frozen.computing():
            output = self.frozen.model(
                **batch.words,
                attention_mask=batch.mask.long(),
                position_ids=batch.positions,
                use_cache=False,
                logits_to_keep=keep,
                **Pass(batch.fronts, kept).keywords,
            )
        logits: Tensor = output.logits
        return logits.float()

    def _batch(self, rows: Sequence[Tokens], injections: Injections) -> Batch:
        check_not_empty(rows)
        check_named(rows, injections)
        device = self.frozen.model.device
        fronts = self._in_front(injections)
        whole: list[Tokens] = [
            row if front is not None and front.lead else [*self.frozen.lead, *row]
            for row, front in zip(rows, fronts, strict=True)
        ]
        starts = torch.tensor([0 if front is None else front.start for front in fronts])
        ids, mask = padded(whole, self.frozen.pad, left=True, device=device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0) + starts.to(device)[:, None]
        check_places(self.frozen, int(positions.max()) + 1)
        soft = bool((ids < 0).any())
        words = (
            {"inputs_embeds": place(self.frozen, ids, injections)} if soft else {"input_ids": ids}
        )
        return Batch(words, mask, positions, self._fronts(fronts))

    def _fronts(self, prompts: Sequence[KeyValues | None]) -> Fronts:
        return fronts_of(self.sites(), prompts) if any(prompts) else {}

    def _in_front(self, injections: Injections) -> list[KeyValues | None]:
        """Each row's keys and values; vectors in front of the text are absorbed, all at once."""
        unique, which = distinct(injections)
        vectors = {
            number: each
            for number, each in enumerate(unique)
            if isinstance(each, Embeddings) and not each.anywhere
        }
        absorbed = self._absorb_all(list(vectors.values())) if vectors else []
        ready = dict(zip(vectors, absorbed, strict=True))
        fronts = [
            each if isinstance(each, KeyValues) else ready.get(number)
            for number, each in enumerate(unique)
        ]
        return [fronts[number] for number in which]

    def _rest(self, batch: Batch, read: Fronts, label: Tokens) -> Float[Tensor, "B"]:
        """Log-probability of a label's tokens behind its first."""
        rows, device = len(batch.mask), batch.mask.device
        if len(label) == 1:
            return torch.zeros(rows, device=device)
        tokens = torch.tensor(label, device=device)
        ids = tokens[:-1].expand(rows, -1)  # [B, n-1]
        step = torch.arange(1, len(label), device=device)
        positions = batch.positions[:, -1:] + step
        check_room(self.frozen, int(positions.max()) + 1)
        real = torch.ones_like(ids, dtype=torch.bool)
        rest = Batch({"input_ids": ids}, real, positions, read)
        scores = self._logits(rest, keep=0).log_softmax(dim=-1)  # [B, n-1, V]; 0 keeps all
        return scores.gather(2, tokens[1:].expand(rows, -1)[:, :, None])[:, :, 0].sum(dim=1)


def to_the_left(targets: Sequence[Tokens], device: torch.device) -> Int[Tensor, "B W"]:
    """From places counted from a target's beginning to those in rows that end with it."""
    lengths = torch.tensor([len(target) for target in targets], device=device)
    width = max(len(target) for target in targets)
    return (torch.arange(width, device=device) - lengths[:, None]) % width


def _extend(batch: Batch, kept: Sequence[Kept]) -> Fronts:
    """What stood in front and the row that was read, as one front a site."""
    fronts: dict[nn.Module, list[Front | None]] = {}
    met: Counter[nn.Module] = Counter()
    for each in kept:
        before = batch.fronts.get(each.site)
        front = None if before is None else before[met[each.site]]
        met[each.site] += 1
        fronts.setdefault(each.site, []).append(_behind(front, each, batch.mask))
    return fronts


def _behind(front: Front | None, kept: Kept, mask: Bool[Tensor, "B T"]) -> Front:
    """A front with a row's own keys and values behind it."""
    if front is None:
        return Front(kept.keys, kept.values, mask)
    seen = front.visible
    if seen is None:
        seen = torch.ones_like(mask[:, :1]).expand(-1, front.keys.shape[2])
    return Front(
        torch.cat([front.keys.to(kept.keys.dtype), kept.keys], dim=2),
        torch.cat([front.values.to(kept.values.dtype), kept.values], dim=2),
        torch.cat([seen, mask], dim=1),  # [B, P+T]
    )
