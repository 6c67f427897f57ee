"""How a prompted backbone answers: by a head, by label words, or by writing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afina.backbones.backbone import Backbone, begin
from afina.backbones.encoder import Encoder
from afina.backbones.generation import Generation, Reply
from afina.backbones.injection import Injections
from afina.backbones.writing import generate
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read
from afina.solver import Value

Answered = tuple[Value, dict[str, object]]  # a value and its evidence


@runtime_checkable
class Objective(Protocol):
    """From rows and their injections to a loss.

    What the frozen model says is gathered for a whole batch, whichever learners its rows belong
    to; each learner's own objective then makes a loss of its own rows.
    """

    def gather(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """What the frozen model says, a row a row; no parameter of the objective has part in it."""

    def loss(self, gathered: Tensor, rows: Sequence[Read]) -> Tensor:
        """What training lowers, a scalar: the mean over what is wanted of the rows."""


@runtime_checkable
class Answer(Objective, Protocol):
    """An objective that also answers: values with evidence."""

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

    def gather(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """Features ``[B, H]``."""
        return backbone.features([row.tokens for row in rows], injections)

    def loss(self, gathered: Tensor, rows: Sequence[Read]) -> Tensor:
        wanted = torch.tensor([row.label for row in rows], device=gathered.device)
        return F.cross_entropy(self.head(gathered), wanted)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        return self.decide(self.gather(backbone, rows, injections), rows)

    def decide(self, gathered: Tensor, rows: Sequence[Read]) -> list[Answered]:
        """The best label of each row."""
        return chosen(self.head(gathered), self.labels)


class LabelWords(nn.Module):
    """The label whose words the model itself finds likeliest: a verbalizer."""

    def __init__(self, labels: tuple[str, ...], tokens: list[list[int]]) -> None:
        super().__init__()
        self.labels = labels
        self.tokens = tokens

    def gather(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """An encoder's scores of all labels ``[B, C]``; of the others the right label's ``[B]``."""
        tokens = [row.tokens for row in rows]
        if isinstance(backbone, Encoder):
            return backbone.choose(tokens, self.tokens, injections)
        return backbone.likelihood(tokens, [self.tokens[row.label] for row in rows], injections)

    def loss(self, gathered: Tensor, rows: Sequence[Read]) -> Tensor:
        """Encoders weigh all labels at the mask; the others are taught the label's own tokens."""
        if gathered.ndim == 2:
            wanted = torch.tensor([row.label for row in rows], device=gathered.device)
            return F.cross_entropy(gathered, wanted)
        return -gathered.sum() / sum(len(self.tokens[row.label]) for row in rows)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        scores = backbone.choose([row.tokens for row in rows], self.tokens, injections)
        return chosen(scores, self.labels)


class Writing(nn.Module):
    """The text the model writes, at most ``tokens`` long: by its settings, or the likeliest."""

    def __init__(self, tokens: int, settings: Generation | None = None) -> None:
        super().__init__()
        self.tokens = tokens
        self.settings = None if settings is None else replace(settings, tokens=tokens)

    def gather(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """Log-probability of each row's target ``[B]``."""
        tokens, targets = [row.tokens for row in rows], [row.target for row in rows]
        return backbone.likelihood(tokens, targets, injections)

    def loss(self, gathered: Tensor, rows: Sequence[Read]) -> Tensor:
        return -gathered.sum() / sum(len(row.target) for row in rows)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        tokens = [row.tokens for row in rows]
        if self.settings is None:
            written = backbone.write(tokens, injections, tokens=self.tokens)
            return [(backbone.frozen.decode(ids).strip(), {}) for ids in written]
        found = generate(begin(backbone, tokens, injections), self.settings)
        return [(texts[0].text.strip(), _told(texts)) for texts in found]


def _told(texts: Sequence[Reply]) -> dict[str, object]:
    """All texts of a row, each with the mean log-probability of its tokens."""
    return {"texts": [{"text": each.text.strip(), "score": round(each.score, 6)} for each in texts]}


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
