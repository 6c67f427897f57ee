"""What a soft prompt adds to a backbone: vectors at its input, or keys and values at its layers."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Embeddings:
    """Vectors that stand behind the leading special tokens and in front of the text."""

    vectors: Float[Tensor, "P H"]

    @property
    def length(self) -> int:
        return self.vectors.shape[0]


@dataclass(frozen=True)
class KeyValues:
    """Keys and values in front of each attention layer's own; a causal decoder's absorbed prompt.

    They hold the leading special tokens too, so the text that follows begins at position P.
    """

    keys: Float[Tensor, "L K P D"]
    values: Float[Tensor, "L K P D"]

    @property
    def length(self) -> int:
        return self.keys.shape[2]


Injection = Embeddings | KeyValues
Injections = Sequence[Injection | None]  # one a row


def distinct(injections: Injections) -> tuple[list[Injection | None], list[int]]:
    """The injections without repeats, by identity, and which of them each row takes."""
    places: dict[int, int] = {}
    unique: list[Injection | None] = []
    for injection in injections:
        if id(injection) not in places:
            places[id(injection)] = len(unique)
            unique.append(injection)
    return unique, [places[id(injection)] for injection in injections]
