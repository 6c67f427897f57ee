"""What every frozen transformer can do, whatever its family: the face the methods know."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from afina.backbones.decoder import Decoder
from afina.backbones.encoder import Encoder
from afina.backbones.encoder_decoder import EncoderDecoder
from afina.backbones.frozen import Frozen, Tokens, load_frozen, precision_of
from afina.backbones.generation import Turn
from afina.backbones.injection import Injections, KeyValues
from afina.backbones.quantised import named
from afina.backbones.sites import Site
from afina.errors import ModelError


@runtime_checkable
class Backbone(Protocol):
    """Texts come as token ids without special tokens, one injection (or None) a row."""

    @property
    def frozen(self) -> Frozen:
        """The model itself."""

    def sites(self) -> tuple[Site, ...]:
        """Where keys and values may stand."""

    def read(self, text: Tokens) -> KeyValues:
        """The keys and values of a written text at all sites."""

    def states(self, rows: Sequence[Tokens], injections: Injections) -> Tensor:
        """A vector for each of a row's own tokens, right-padded with zeros: ``[B, T, H]``."""

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Tensor:
        """A vector a row: ``[B, H]``."""

    def likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Tensor:
        """Log-probability of each row's target, summed over its tokens: ``[B]``."""

    def token_likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Tensor:
        """Log-probability of a target's tokens one by one, right-padded with zeros: ``[B, W]``."""

    def choose(
        self, rows: Sequence[Tokens], labels: Sequence[Tokens], injections: Injections
    ) -> Tensor:
        """Log-probabilities of given labels: ``[B, C]``."""

    def write(
        self, rows: Sequence[Tokens], injections: Injections, *, tokens: int
    ) -> list[list[int]]:
        """The likeliest tokens."""


def backbone_of(frozen: Frozen) -> Backbone:
    """The backbone for a frozen model's family."""
    match frozen.kind:
        case "encoder":
            return Encoder(frozen)
        case "decoder":
            return Decoder(frozen)
        case "encoder-decoder":
            return EncoderDecoder(frozen)
    raise AssertionError(frozen.kind)


def begin(backbone: Backbone, rows: Sequence[Tokens], injections: Injections) -> Turn:
    """Read rows with their prompts, to ``generate`` or ``stream`` from.

    Raises:
        ModelError: the model is an encoder, which fills masks alone.
    """
    match backbone:
        case Decoder() | EncoderDecoder():
            return backbone.begin(rows, injections)
    raise ModelError(
        f"{backbone.frozen.name} is an encoder and fills masks; a decoder or encoder-decoder "
        "writes texts"
    )


def answer_logits(
    backbone: Backbone, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
) -> Tensor:
    """What a model says of all words where a target's tokens stand, in turn: ``[B, W, V]``.

    Raises:
        ModelError: the model is an encoder, which writes nothing.
    """
    match backbone:
        case Decoder() | EncoderDecoder():
            return backbone.logits(rows, targets, injections)
    raise ModelError(
        f"{backbone.frozen.name} is an encoder and writes nothing; use a decoder or encoder-decoder"
    )


def with_precision(backbone: Backbone, precision: str) -> Backbone:
    """The same frozen model, computing as a prompt was tuned: float32 or bfloat16."""
    frozen = backbone.frozen
    wanted = precision_of(precision, frozen.model.device.type)
    return (
        backbone if wanted == frozen.precision else backbone_of(replace(frozen, precision=wanted))
    )


def load_backbone(
    name: str, *, precision: str = "auto", device: str = "cpu", quantise: str | None = None
) -> Backbone:
    """Load and freeze a model: ``builtin:minilm``, a folder or a Hub name.

    Its weights may be quantised: ``8bit`` or ``4bit``, which may stand behind a name too, as in
    ``owner/name:4bit``.

    Raises:
        ModelError: nothing is there, the family cannot be frozen, or bitsandbytes is missing.
        ArtefactError: the built-in model's file is damaged.
    """
    whole = named(name, quantise)
    return backbone_of(load_frozen(whole, precision=precision, device=device))
