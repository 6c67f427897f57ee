"""How a prompted backbone answers: by a head, by label words, or by writing."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.encoder import Encoder
from afina.backbones.frozen import Tokens
from afina.backbones.injection import Injections
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read
from afina.solver import Value

Answered = tuple[Value, dict[str, object]]  # a value and its evidence


@runtime_checkable
class Answer(Protocol):
    """From rows and their injections to a loss, or to values with evidence."""

    def loss(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """What training lowers, a scalar."""

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        """A value a row."""


class HeadAnswer(nn.Module):
    """A trained classification head on the backbone's features."""

    def __init__(self, head: ClassificationHead, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.head = head
        self.labels = labels

    def loss(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        logits = self.head(backbone.features([row.tokens for row in rows], injections))
        return F.cross_entropy(logits, torch.tensor([row.label for row in rows]).to(logits.device))

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        logits = self.head(backbone.features([row.tokens for row in rows], injections))
        return chosen(logits, self.labels)


class LabelWords(nn.Module):
    """The label whose words the model itself finds likeliest: a verbalizer."""

    def __init__(self, labels: tuple[str, ...], tokens: list[list[int]]) -> None:
        super().__init__()
        self.labels = labels
        self.tokens = tokens

    def loss(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """Encoders score all labels at the mask; the others are taught the label's own tokens."""
        tokens = [row.tokens for row in rows]
        if isinstance(backbone, Encoder):
            scores = backbone.choose(tokens, self.tokens, injections)
            wanted = torch.tensor([row.label for row in rows], device=scores.device)
            return F.cross_entropy(scores, wanted)
        return mean_loss(backbone, rows, [self.tokens[row.label] for row in rows], injections)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        scores = backbone.choose([row.tokens for row in rows], self.tokens, injections)
        return chosen(scores, self.labels)


class Writing(nn.Module):
    """The text the model writes, at most ``tokens`` long."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens

    def loss(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        return mean_loss(backbone, rows, [row.target for row in rows], injections)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        written = backbone.write([row.tokens for row in rows], injections, tokens=self.tokens)
        return [(backbone.frozen.decode(ids).strip(), {}) for ids in written]


def mean_loss(
    backbone: Backbone, rows: Sequence[Read], targets: Sequence[Tokens], injections: Injections
) -> Tensor:
    """Mean negative log-likelihood of the target tokens, a scalar."""
    found = backbone.likelihood([row.tokens for row in rows], targets, injections)
    return -found.sum() / sum(map(len, targets))


def chosen(scores: Tensor, labels: tuple[str, ...]) -> list[Answered]:
    """The best label of each row ``[B, C]``, with the probabilities of the three best."""
    probabilities = scores.softmax(dim=-1)
    best = probabilities.topk(min(3, len(labels)), dim=-1)
    return [
        (
            labels[places[0]],
            {"probabilities": {labels[at]: round(p, 6) for at, p in zip(places, top, strict=True)}},
        )
        for places, top in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
