"""A frozen encoder-decoder: vectors stand in the encoder's input, keys and values at any site."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from afina.backbones.attention import Kept, Pass
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.generation import Generation
from afina.backbones.injection import Injections, KeyValues
from afina.backbones.layout import Layout, compose, own_tokens, padded, pooled
from afina.backbones.positions import begins, counting_from, near
from afina.backbones.sites import (
    Place,
    Site,
    check_takes_fronts,
    fronts_of,
    key_values_of,
    sites_of,
)
from afina.backbones.writing import generate
from afina.errors import ModelError


@dataclass(frozen=True)
class Written:
    """What the encoder made of a batch: its states, and what stands in front of the decoder."""

    states: Float[Tensor, "B N H"]
    real: Bool[Tensor, "B N"]  # no padding
    starts: Int[Tensor, "B"]  # the position of each answer's first place
    prompt: Pass

    def taken(self, rows: Int[Tensor, "R"]) -> "Written":
        """These rows; the prompts are shared by the rows that stand in the place of one."""
        return Written(self.states[rows], self.real[rows], self.starts[rows], self.prompt)


@dataclass(frozen=True)
class EncoderDecoder:
    """BART, T5 and their kin."""

    frozen: Frozen

    def sites(self) -> tuple[Site, ...]:
        """The attention sites: the encoder's, then the decoder's own and its cross-attention.

        Raises:
            ModelError: the model computes attention in a way of its own.
        """
        return self._sites

    def read(self, text: Tokens) -> KeyValues:
        """The keys and values of a written text at all sites; special tokens are left out.

        The decoder's own are those of its answer's first words, were the text the answer.
        """
        check_takes_fronts(self.frozen)
        encoder, decoder = self._kept(text, text)
        start, length = len(self.frozen.lead), len(text)
        whole = [*encoder, *decoder]
        parts = [
            Kept(
                each.site,
                _at(each.keys, site, start, length),
                _at(each.values, site, start, length),
            )
            for each, site in zip(whole, self.sites(), strict=True)
        ]
        return key_values_of(parts, slice(None))

    def states(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B T H"]:
        """The encoder's states of the rows' own tokens, right-padded with zeros."""
        layout = compose(self.frozen, rows, injections)
        return own_tokens(self._encoded(layout, injections).states.float(), layout.starts, rows)

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B H"]:
        """The mean of the encoder's states over the text's places, the prompt's left out."""
        layout = compose(self.frozen, rows, injections)
        return pooled(self._encoded(layout, injections).states.float(), layout.text)

    def likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B"]:
        """Log-probability of each row's target tokens as the decoder's answer."""
        return self._likelihood(self._read(rows, injections), targets).sum(dim=1)

    def token_likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B W"]:
        """The same token by token, right-padded with zeros."""
        return self._likelihood(self._read(rows, injections), targets)

    def logits(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B W V"]:
        """What the model says of all words where a target's tokens stand, in turn.

        Behind a target that is shorter than the longest, numbers follow that mean nothing.
        """
        return self._target_logits(self._read(rows, injections), targets)

    def choose(
        self, rows: Sequence[Tokens], labels: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B C"]:
        """Log-probability of each label's tokens as the decoder's answer; the row is read once."""
        read = self._read(rows, injections)
        found = [self._likelihood(read, [label] * len(rows)).sum(dim=1) for label in labels]
        return torch.stack(found, dim=1)

    def write(
        self, rows: Sequence[Tokens], injections: Injections, *, tokens: int
    ) -> list[list[int]]:
        """The likeliest answer, token by token, up to ``tokens`` or the end token."""
        return [
            list(text.tokens)
            for (text,) in generate(self.begin(rows, injections), Generation(tokens=tokens))
        ]

    def begin(self, rows: Sequence[Tokens], injections: Injections) -> "EncoderDecoderTurn":
        """Read rows with their prompts, to ``generate`` or ``stream`` from."""
        with torch.no_grad():
            return EncoderDecoderTurn(self, rows, self._read(rows, injections))

    @cached_property
    def _sites(self) -> tuple[Site, ...]:
        check_takes_fronts(self.frozen)
        encoder, decoder = self._kept([self.frozen.pad] * 3)
        # one word of an answer looks at itself or at the three of the text
        places = [Place.DECODER if each.keys.shape[2] == 1 else Place.CROSS for each in decoder]
        return sites_of([*encoder, *decoder], [*[Place.ENCODER] * len(encoder), *places])

    @property
    def _start(self) -> int:
        start = self.frozen.model.config.decoder_start_token_id
        if start is None:
            raise ModelError(f"the config of {self.frozen.name} names no decoder_start_token_id")
        return int(start)

    def _read(self, rows: Sequence[Tokens], injections: Injections) -> Written:
        return self._encoded(compose(self.frozen, rows, injections), injections)

    def _encoded(self, layout: Layout, injections: Injections) -> Written:
        prompts = [each if isinstance(each, KeyValues) else None for each in injections]
        starts = begins(self.frozen, [0 if each is None else each.start for each in prompts])
        fronts = (
            near(self.sites(), fronts_of(self.sites(), prompts), starts) if any(prompts) else {}
        )
        return Written(self._encode(layout, Pass(fronts)), layout.real, starts, Pass(fronts))

    def _encode(self, layout: Layout, prompt: Pass) -> Float[Tensor, "B N H"]:
        with self.frozen.computing():
            output = self.frozen.model.get_encoder()(
                inputs_embeds=layout.vectors, attention_mask=layout.real.long(), **prompt.keywords
            )
        states: Tensor = output.last_hidden_state
        return states

    def _decode(self, read: Written, ids: Tensor, *, cache: Any, use_cache: bool) -> Any:
        # a cache and an output of transformers' own
        with self.frozen.computing(), counting_from(self.frozen, read.starts):
            return self.frozen.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=read.states),
                attention_mask=read.real.long(),
                decoder_input_ids=ids,
                past_key_values=cache,
                use_cache=use_cache,
                **read.prompt.keywords,
            )

    def _likelihood(self, read: Written, targets: Sequence[Tokens]) -> Float[Tensor, "B W"]:
        logits = self._target_logits(read, targets)
        wanted, real = padded(targets, 0, device=logits.device)
        found = logits.log_softmax(dim=-1).gather(2, wanted[:, :, None])[:, :, 0]  # [B, W]
        kept: Tensor = found * real
        return kept

    def _target_logits(self, read: Written, targets: Sequence[Tokens]) -> Float[Tensor, "B W V"]:
        inputs = [[self._start, *target[:-1]] for target in targets]
        ids, _ = padded(inputs, self.frozen.pad, device=read.states.device)
        logits: Tensor = self._decode(read, ids, cache=None, use_cache=False).logits
        return logits.float()

    def _kept(self, text: Tokens, answer: Tokens = ()) -> tuple[list[Kept], list[Kept]]:
        """What the encoder's and the decoder's attention keep of a text and an answer."""
        encoder: list[Kept] = []
        decoder: list[Kept] = []
        layout = compose(self.frozen, [text], [None])
        with torch.no_grad():
            states = self._encode(layout, Pass(kept=encoder))
            ids = torch.tensor([[self._start, *answer]], device=states.device)
            written = Written(states, layout.real, begins(self.frozen, [0]), Pass(kept=decoder))
            self._decode(written, ids, cache=None, use_cache=False)
        return encoder, decoder


@dataclass(frozen=True)
class EncoderDecoderTurn:
    """Rows that the encoder has read; the answers to them are still to be begun."""

    backbone: EncoderDecoder
    rows: Sequence[Tokens]
    read: Written

    @property
    def frozen(self) -> Frozen:
        return self.backbone.frozen

    def speak(self, *, tokens: int) -> "EncoderDecoderSpeech":
        """An answer a row, which may become ``tokens`` long.

        Raises:
            ModelError: the decoder's position table ends before.
        """
        places = getattr(self.frozen.model.config, "max_position_embeddings", None)
        wanted = int(self.read.starts.max()) + tokens
        if places is not None and wanted > places:
            raise ModelError(
                f"an answer would take {wanted} places, but {self.frozen.name} has {places}; "
                "write fewer tokens"
            )
        return EncoderDecoderSpeech(self.backbone, self.read)


class EncoderDecoderSpeech:
    """Answers being written to rows that were read."""

    def __init__(self, backbone: EncoderDecoder, read: Written) -> None:
        self._backbone = backbone
        self._read = read
        self._cache: Any = None  # transformers' own
        start = torch.full((len(read.states),), backbone._start, device=read.states.device)
        self.advance(start)

    @property
    def logits(self) -> Float[Tensor, "R V"]:
        return self._logits

    def advance(self, ids: Int[Tensor, "R"]) -> None:
        with torch.no_grad():
            output = self._backbone._decode(
                self._read, ids[:, None], cache=self._cache, use_cache=True
            )
        self._logits: Tensor = output.logits[:, -1]
        self._cache = output.past_key_values

    def take(self, texts: Int[Tensor, "R"]) -> None:
        """The answers to one row stand side by side, and share what is in front of it."""
        self._cache.reorder_cache(texts)
        self._read, self._logits = self._read.taken(texts), self._logits[texts]


def _at(part: Float[Tensor, "B K S D"], site: Site, start: int, length: int) -> Tensor:
    """The places of a text's own words: behind the start token where the decoder reads itself."""
    first = 1 if site.place is Place.DECODER else start
    return part[:, :, first : first + length]
