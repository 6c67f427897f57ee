"""How texts are written, what comes of it, and what a model must be able to do for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from afina.backbones.frozen import Frozen, Tokens
from afina.errors import InputError

UNFINISHED = "\ufffd"  # what a tokenizer makes of a character whose last bytes are still to come


@dataclass(frozen=True)
class Generation:
    """How texts are written.

    Raises:
        InputError: settings that are out of range, or that exclude each other.
    """

    tokens: int = 64  # at most, the one that ends the text included
    beams: int = 1  # texts kept side by side in a beam search; 1: no search
    temperature: float = 0.0  # 0: the likeliest token; above, tokens are drawn
    top_p: float = 1.0  # drawn from the likeliest tokens that together have this probability
    top_k: int = 0  # drawn from so many of the likeliest tokens; 0: from all
    returns: int = 1  # texts a row
    stop: tuple[str, ...] = ()  # a text ends before the first of these
    seed: int = 0  # of what is drawn

    def __post_init__(self) -> None:
        for name in ("tokens", "beams", "returns"):
            if getattr(self, name) < 1:
                raise InputError(f"expected {name} of 1 or more, got {getattr(self, name)!r}")
        if not 0 <= self.temperature < math.inf or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise InputError(
                "expected temperature and top_k of 0 or more and top_p above 0 and up to 1, got "
                f"{self.temperature!r}, {self.top_k!r} and {self.top_p!r}"
            )
        if not all(self.stop):
            raise InputError("expected stop strings, got an empty one; leave it out")
        self._check_fit()

    def _check_fit(self) -> None:
        drawn = self.temperature > 0
        if drawn and self.beams > 1:
            raise InputError(
                f"expected a beam search or a temperature, got {self.beams} beams and "
                f"{self.temperature!r}; set one of them"
            )
        if not drawn and (self.top_k or self.top_p < 1):
            raise InputError("expected a temperature beside top_k or top_p; set it above 0")
        if not drawn and self.returns > self.beams:
            raise InputError(
                f"expected {self.returns} texts a row from as many beams, or drawn, got "
                f"{self.beams} beams; set beams or a temperature"
            )


@dataclass(frozen=True)
class Reply:
    """A text that was written.

    ``tokens`` end before the end token, or with the one in which the text was cut.
    """

    text: str
    tokens: tuple[int, ...]
    score: float  # mean log-probability of a token, the last included


@runtime_checkable
class Speech(Protocol):
    """Texts that are being written side by side; it moves on as it is told."""

    @property
    def logits(self) -> Float[Tensor, "R V"]:
        """Of each text's next token."""

    def advance(self, ids: Int[Tensor, "R"]) -> None:
        """Read one token more of each text."""

    def take(self, texts: Int[Tensor, "R"]) -> None:
        """Go on with these texts, in this order; one may come several times."""


@runtime_checkable
class Turn(Protocol):
    """Rows that a model has read with their prompts, and may answer any number of times."""

    @property
    def frozen(self) -> Frozen:
        """The model."""

    @property
    def rows(self) -> Sequence[Tokens]:
        """What was read."""

    def speak(self, *, tokens: int) -> Speech:
        """A text a row, which may become ``tokens`` long."""


@runtime_checkable
class Rule(Protocol):
    """What one text may hold; it follows the text token by token."""

    def allowed(self, vocabulary: int) -> Bool[Tensor, "V"]:
        """The tokens that may come next, at least one."""

    def take(self, token: int) -> None:
        """The token that came."""


@dataclass(frozen=True)
class Text:
    """A text so far, its end token included."""

    tokens: tuple[int, ...] = ()
    total: float = 0.0  # log-probability

    @property
    def score(self) -> float:
        return self.total / len(self.tokens)

    def with_token(self, token: int, total: float) -> "Text":
        return Text((*self.tokens, token), total)


class Bounds:
    """Where texts end: at an end token, or before a stop string."""

    def __init__(self, frozen: Frozen, stop: tuple[str, ...]) -> None:
        self.frozen = frozen
        self.stop = stop
        self.ends = ends_of(frozen)

    def are_reached(self, text: Text) -> bool:
        return text.tokens[-1] in self.ends or (
            bool(self.stop) and self._cut(self.frozen.decode(text.tokens)) is not None
        )

    def reply(self, text: Text) -> Reply:
        tokens = text.tokens[:-1] if text.tokens[-1] in self.ends else text.tokens
        written = self.frozen.decode(tokens)
        cut = self._cut(written)
        if cut is None:
            return Reply(written, tokens, text.score)
        short = tokens
        while short and len(self.frozen.decode(short[:-1])) >= cut:
            short = short[:-1]
        return Reply(written[:cut], short, text.score)

    def settled(self, text: Text) -> str:
        """As much of a text's beginning as no token to come can change or cut."""
        written = self.frozen.decode(text.tokens).rstrip(UNFINISHED)
        held = [
            length
            for each in self.stop
            for length in range(1, len(each))
            if written.endswith(each[:length])
        ]
        return written[: len(written) - max(held, default=0)]

    def _cut(self, written: str) -> int | None:
        """Where the first stop string begins."""
        found = [place for each in self.stop if (place := written.find(each)) >= 0]
        return min(found, default=None)


def ends_of(frozen: Frozen) -> frozenset[int]:
    """The tokens that end a text: the tokenizer's, and those the model's own settings name."""
    own = getattr(frozen.model, "generation_config", None)
    named = None if own is None else own.eos_token_id
    several = named if isinstance(named, list) else [named]
    return frozenset(
        int(each) for each in (frozen.tokenizer.eos_token_id, *several) if each is not None
    )
