"""Imitation: a prompt learns to make a model say what it says under another prompt, without labels.

The loss is ``KL(q || p)``, the mean over the places of the answers: ``q`` is the model's
distribution of the next token under the prompt to be imitated, ``p`` that under the one in
training (Snell, Klein and Zhong 2022, "Learning by distilling context",
https://arxiv.org/abs/2209.15189). Of ``q`` the likeliest tokens are kept, and all others count as
one, which bounds the divergence from below.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.backbone import Backbone, answer_logits
from afina.backbones.frozen import Tokens
from afina.backbones.injection import Injections
from afina.soft.reading import Likely, Read

KEPT = 64  # tokens of a place whose probabilities are kept
LEAST = 1e-6  # a probability that the tokens left out have at least


def likely(
    backbone: Backbone, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
) -> list[Likely]:
    """What the model finds likeliest at the places of each row's target."""
    with torch.no_grad():
        scores = answer_logits(backbone, rows, targets, injections).log_softmax(dim=-1)  # [B, W, V]
    best = scores.topk(min(KEPT, scores.shape[-1]), dim=-1)
    return [
        Likely(tokens[: len(target)].cpu(), shares[: len(target)].exp().cpu())
        for tokens, shares, target in zip(best.indices, best.values, targets, strict=True)
    ]


class Imitation(nn.Module):
    """Rows that know what is likely at the places of their targets, and how far from it a model is.

    It only teaches; it gives no answers.
    """

    def gather(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> Float[Tensor, "B W k"]:
        """Log-probabilities of the tokens that are kept, right-padded with numbers of no sense."""
        targets = [row.target for row in rows]
        scores = answer_logits(backbone, [row.tokens for row in rows], targets, injections)
        wanted = torch.stack([_wide(_kept(row).tokens, scores.shape[1]) for row in rows])
        return scores.log_softmax(dim=-1).gather(2, wanted.to(scores.device))

    def loss(self, gathered: Float[Tensor, "B W k"], rows: Sequence[Read]) -> Tensor:
        """The divergence, the mean over the places of all targets."""
        apart = [
            divergence(found[: len(row.target)], _kept(row).shares.to(found.device))
            for found, row in zip(gathered, rows, strict=True)
        ]
        return torch.cat(apart).mean()


def divergence(found: Float[Tensor, "W k"], shares: Float[Tensor, "W k"]) -> Float[Tensor, "W"]:
    """``KL(q || p)`` of the kept tokens and of all others as one, a number a place.

    >>> same = torch.tensor([[0.5, 0.25]])
    >>> round(divergence(same.log(), same).item(), 6)
    0.0
    """
    rest, other = ((1 - total.sum(dim=-1)).clamp(min=LEAST) for total in (shares, found.exp()))
    kept = shares * (shares.clamp(min=LEAST).log() - found)
    return kept.sum(dim=-1) + rest * (rest.log() - other.log())


def _kept(row: Read) -> Likely:
    assert isinstance(row.marks, Likely)
    return row.marks


def _wide(tokens: Tensor, width: int) -> Tensor:
    """Tokens ``[W, k]`` with zeros below, up to a width."""
    return nn.functional.pad(tokens, (0, 0, 0, width - len(tokens)))
