"""What both sides of the serving benchmark share: shapes, prompts and requests of fixed seeds."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

TASKS = 8


@dataclass(frozen=True)
class Shape:
    """A decoder's shape, and how many virtual tokens its prompts have."""

    name: str
    layers: int
    width: int
    heads: int
    virtual: int = 100
    words: int = 50257

    def model(self) -> GPT2LMHeadModel:
        """The model, always with the same weights; no token ends a text."""
        torch.manual_seed(0)
        shape = {"n_layer": self.layers, "n_embd": self.width, "n_head": self.heads}
        config = GPT2Config(
            **shape, vocab_size=self.words, bos_token_id=None, eos_token_id=None, pad_token_id=0
        )
        return GPT2LMHeadModel(config).eval().requires_grad_(False)

    def requests(self, count: int) -> Tensor:
        """Random words, 16 a request: ``[B, 16]``."""
        return torch.randint(1, self.words, (count, 16), generator=seeded(1))

    def prompt(self, task: int) -> Tensor:
        """A task's vectors ``[P, H]``, as large as the model's words'."""
        size = (self.virtual, self.width)
        return torch.randn(size, generator=seeded(100 + task)) * 0.02

    def prefix(self) -> Tensor:
        """Keys and values ``[2L, K, P, D]``: of each layer its keys, then its values."""
        size = (2 * self.layers, self.heads, self.virtual, self.width // self.heads)
        return torch.randn(size, generator=seeded(7))


@dataclass(frozen=True)
class Classifiers:
    """Requests to tasks' classifiers on MiniLM-L6."""

    tokens: int = 32
    virtual: int = 20
    labels: int = 2

    def requests(self) -> Tensor:
        """A request a task, without special tokens: ``[B, T]``."""
        return torch.randint(1000, 30000, (TASKS, self.tokens), generator=seeded(3))


LARGE = Shape("GPT-2 shape, 12 layers, d=768", 12, 768, 12)
SMALL = Shape("GPT-2 shape, 6 layers, d=384", 6, 384, 6)
QUICK = Shape("GPT-2 shape, 2 layers, d=64", 2, 64, 4, words=997)
CLASSIFIERS = Classifiers()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
