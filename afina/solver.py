"""The narrow waist: from a batch of inputs to a list of predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Span(NamedTuple):
    """A labelled stretch: tokens ``start`` up to, not including, ``end``."""

    start: int
    end: int
    label: str


Value = str | int | float | bool | list[str] | list[Span]
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Usage:
    """What an answer took: model calls, tokens read and written, and dollars."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)


@dataclass(frozen=True)
class Prediction:
    """An answer with its evidence and what it took.

    ``outputs`` is None where no answer came; ``reason`` then says why. Such a prediction is
    missing and is never scored as 0. ``evidence`` is plain JSON: scores of labels, passages.
    """

    outputs: Values | None
    evidence: Mapping[str, object] = field(default_factory=dict)
    usage: Usage = Usage()
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Packed:
    """A solver as data: what a bundle holds, and all that is needed to make the solver again.

    ``kind`` names the maker, ``settings`` is plain JSON, ``arrays`` are learned numbers.
    """

    kind: str
    settings: Mapping[str, object]
    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@runtime_checkable
class Solver(Protocol):
    """Anything that answers a batch of inputs, one prediction a row, in order."""

    @property
    def parameters(self) -> int:
        """Trained parameters; 0 where nothing was trained."""

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row."""

    def pack(self) -> Packed:
        """The solver as data."""
