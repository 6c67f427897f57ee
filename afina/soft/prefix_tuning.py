"""Prefix tuning: trained keys and values in front of each layer's own; nothing else moves.

``keys = start + size * change`` at each attention site, and values likewise; ``change`` is trained.
Li and Liang 2021, "Prefix-Tuning: Optimizing Continuous Prompts for Generation",
https://arxiv.org/abs/2101.00190; on encoders, with a head: Liu et al. 2022, "P-Tuning v2",
https://arxiv.org/abs/2110.07602.

We differ in three things. ``size`` is the root mean square of the site's own keys, or values, so
that one learning rate suits every model and layer. The feed-forward network is a residual on the
start and gives nothing at first, so a prefix read from written words begins as those words. Its
products are divided by the number of their terms, as in Yang et al. 2022
(https://arxiv.org/abs/2203.03466), so that a step of Adam moves keys and values about as far as one
without a network, at any width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.injection import KeyValues


class FreeChange(nn.Module):
    """A number for each key and value, 0 at first."""

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros(2, *shape))

    def forward(self) -> Float[Tensor, "2 S K P D"]:
        return self.change


class NetworkChange(nn.Module):
    """Keys and values of all sites from one vector a place: linear, tanh, linear; 0 at first."""

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        *,
        width: int,
        hidden: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sites, heads, length, size = self.shape = shape
        inner = torch.randn(hidden, width, generator=generator) * width**0.5
        self.embedding = nn.Parameter(torch.randn(length, width, generator=generator))
        self.inner = nn.Parameter(inner)
        self.inner_bias = nn.Parameter(torch.zeros(hidden))
        self.outer = nn.Parameter(torch.zeros(2 * sites * heads * size, hidden))
        self.outer_bias = nn.Parameter(torch.zeros(2 * sites * heads * size))

    def forward(self) -> Float[Tensor, "2 S K P D"]:
        sites, heads, length, size = self.shape
        hidden, width = self.inner.shape
        inner = torch.tanh(F.linear(self.embedding, self.inner) / width + self.inner_bias)
        outer = F.linear(inner, self.outer) / hidden + self.outer_bias  # [P, 2*S*K*D]
        return outer.view(length, 2, sites, heads, size).permute(1, 2, 3, 0, 4)


class PrefixTuning(nn.Module):
    """Keys and values that begin as ``start`` and move by ``change``, in units of ``sizes``.

    ``sizes`` are those of the keys and of the values at each site.
    """

    def __init__(
        self, start: KeyValues, sizes: Float[Tensor, "2 S"], change: FreeChange | NetworkChange
    ) -> None:
        super().__init__()
        self.sites = start.sites
        self.position = start.start
        # buffers, so that a checkpoint needs nothing of what the start was made from
        self.start: Tensor
        self.register_buffer("start", torch.stack([start.keys, start.values]))  # [2, S, K, P, D]
        self.sizes: Tensor
        self.register_buffer("sizes", sizes)
        self.change = change.to(sizes.device)

    def injection(self) -> KeyValues:
        """The prefix as the backbone takes it; the network is folded away in it."""
        keys, values = self.start + self.sizes[:, :, None, None, None] * self.change()
        return KeyValues(keys, values, sites=self.sites, start=self.position)
