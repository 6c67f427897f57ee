"""What a soft prompt adds to a backbone: vectors at its input, or keys and values at its layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Embeddings:
    """Vectors among the words of a text.

    They stand behind the leading special tokens and in front of the text; where ``before_lead``,
    in front of the special tokens too, as PEFT has it; or, where ``anywhere``, at the places that a
    row names: its token ``slot(k)`` is the k-th vector.
    """

    vectors: Float[Tensor, "P H"]
    anywhere: bool = False
    before_lead: bool = False

    def __post_init__(self) -> None:
        assert not (self.anywhere and self.before_lead), "vectors have one place"

    @property
    def length(self) -> int:
        return self.vectors.shape[0]


@dataclass(frozen=True)
class KeyValues:
    """Keys and values in front of the own ones of attention sites S: a prefix, an absorbed prompt.

    ``sites`` are their numbers among the backbone's sites, in the order in which a pass meets them;
    None stands for all of them. The first token that follows has position ``start``; in an
    encoder-decoder, the answer's. Where ``lead``, they hold the leading special tokens too, and the
    text comes without.
    """

    keys: Float[Tensor, "S K P D"]
    values: Float[Tensor, "S K P D"]
    sites: tuple[int, ...] | None = None
    start: int = 0
    lead: bool = False

    @property
    def length(self) -> int:
        return self.keys.shape[2]


Injection = Embeddings | KeyValues
Injections = Sequence[Injection | None]  # one a row
Item = TypeVar("Item", bound=Injection | None)


def slot(number: int) -> int:
    """The token that stands for a prompt's vector: below zero, where no word is.

    >>> slot(0), slot(2)
    (-1, -3)
    """
    return -1 - number


def distinct(injections: Sequence[Item]) -> tuple[list[Item], list[int]]:
    """The injections without repeats, by identity, and which of them each row takes."""
    places: dict[int, int] = {}
    unique: list[Item] = []
    for injection in injections:
        if id(injection) not in places:
            places[id(injection)] = len(unique)
            unique.append(injection)
    return unique, [places[id(injection)] for injection in injections]
