"""A model that turns texts into vectors, and what tells it from another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Embedding:
    """A function from texts to vectors ``[N, H]``, with its model's name and digest."""

    name: str
    digest: str
    embed: Embed
