"""P-tuning: trained vectors among the words of a template, made by a small network.

``vectors = start + size * MLP(LSTM(inputs))``, the LSTM reading both ways over the P vectors of a
template. Liu, Zheng, Du, Ding, Qian, Yang and Tang 2021, "GPT Understands, Too",
https://arxiv.org/abs/2103.10385.

We differ in four things. The network is a residual on a start of words and gives nothing at first,
so that a prompt begins as those words. ``size`` is the root mean square of the model's word
vectors, so that one learning rate suits every model. Products are divided by the number of their
terms, as in Yang et al. 2022 (https://arxiv.org/abs/2203.03466), so that a step of Adam moves the
vectors about as far at any width. The network is run once a step, and folded away at the end.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from afina.backbones.injection import Embeddings

NETWORKS = ("lstm", "mlp", "none")


class Through(nn.Module):
    """An LSTM over the places where ``reads_along``, then linear, ReLU, linear."""

    def __init__(self, width: int, hidden: int, *, reads_along: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, bidirectional=True) if reads_along else None
        self.inner = nn.Linear(2 * hidden if reads_along else width, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, inputs: Float[Tensor, "P H"]) -> Float[Tensor, "P H"]:
        states = inputs if self.lstm is None else self.lstm(inputs)[0]
        outer: Tensor = self.outer(torch.relu(self.inner(states)))
        return outer


class NetworkChange(nn.Module):
    """A change of P vectors made by a network from trained inputs; 0 at first."""

    def __init__(
        self,
        inputs: Float[Tensor, "P H"],
        *,
        hidden: int,
        reads_along: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.inputs = nn.Parameter(inputs.clone())
        self.network = Through(inputs.shape[1], hidden, reads_along=reads_along)
        for name, weight in self.network.named_parameters():
            nn.init.zeros_(weight)
            if weight.ndim == 2 and name != "outer.weight":
                nn.init.normal_(weight, std=weight.shape[1] ** 0.5, generator=generator)

    def forward(self) -> Float[Tensor, "P H"]:
        weights = {
            name: weight / weight.shape[1] if weight.ndim == 2 else weight
            for name, weight in self.network.named_parameters()
        }
        change: Tensor = functional_call(self.network, weights, (self.inputs,))
        return change


class FreeChange(nn.Module):
    """A change of P vectors without a network; 0 at first."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros(shape))

    def forward(self) -> Float[Tensor, "P H"]:
        return self.change


class PTuning(nn.Module):
    """Vectors that begin as ``start`` and move by ``change``, in units of ``size``.

    They stand where a template has them, or else, not ``anywhere``, in front of the text.
    """

    def __init__(
        self,
        start: Float[Tensor, "P H"],
        change: NetworkChange | FreeChange,
        *,
        size: float,
        anywhere: bool = True,
    ) -> None:
        super().__init__()
        self.size = size
        self.anywhere = anywhere
        self.start: Tensor  # a buffer, so that a checkpoint needs nothing of what it was made from
        self.register_buffer("start", start)
        self.change = change.to(start.device)

    def injection(self) -> Embeddings:
        """The vectors as the backbone takes them; the network is folded away in them."""
        return Embeddings(self.start + self.size * self.change(), anywhere=self.anywhere)
