"""Verbalizers: how a model's own words at the answer's place become scores of labels.

Given words: a label's score is the mean probability of its words, ``log 1/W sum p(word)``, after
Schick and Schütze 2021 (https://arxiv.org/abs/2001.07676), who map a label to one word or several.
Calibrated: the same less what the prompt says of an empty input, contextual calibration, Zhao,
Wallace, Feng, Klein and Singh 2021 (https://arxiv.org/abs/2102.09690). Learned: a trained vector a
label, scored against the state that the vocabulary's projection takes; WARP, Hambardzumyan,
Khachatrian and May 2021 (https://arxiv.org/abs/2101.00121).

We differ from the second in that the prompt is trained under the calibration, and from the third in
the start: the mean of the label's words, so that it begins as those words.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injections, distinct
from afina.backbones.projection import answer_states
from afina.soft.answer import Answered, chosen
from afina.soft.reading import Read


class Verbalizer(nn.Module):
    """Labels by the words the model finds likely, several of them a label.

    ``words`` are token ids: of each label its words. Where ``empty`` is the row of the empty
    input, what the prompt says of it is taken from every score.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        words: list[list[list[int]]],
        *,
        empty: list[int] | None = None,
    ) -> None:
        super().__init__()
        self.labels = labels
        self.words = words
        self.empty = empty

    def gather(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> Float[Tensor, "B C"]:
        """The scores of the labels."""
        tokens = [row.tokens for row in rows]
        if self.empty is None:
            return self._scores(backbone, tokens, injections)
        prompts, which = distinct(injections)  # one empty row a prompt
        whole, empties = [*tokens, *[self.empty] * len(prompts)], [*injections, *prompts]
        scores = self._scores(backbone, whole, empties)
        return scores[: len(rows)] - scores[len(rows) :][which]

    def loss(self, gathered: Float[Tensor, "B C"], rows: Sequence[Read]) -> Float[Tensor, ""]:
        return F.cross_entropy(gathered, wanted_of(rows, gathered.device))

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        return chosen(self.gather(backbone, rows, injections), self.labels)

    def _scores(
        self, backbone: Backbone, rows: Sequence[list[int]], injections: Injections
    ) -> Float[Tensor, "B C"]:
        flat = [word for each in self.words for word in each]
        found = backbone.choose(rows, flat, injections)  # [B, W]
        return mean_likelihoods(found, [len(each) for each in self.words])


class LearnedVerbalizer(nn.Module):
    """A trained vector a label, scored against the state at the answer's place.

    The parameter is the vectors divided by ``scale``, their root mean square at the start.
    """

    def __init__(
        self, labels: tuple[str, ...], vectors: Float[Tensor, "C E"], *, scale: float
    ) -> None:
        super().__init__()
        self.labels = labels
        self.scale = scale
        self.scaled = nn.Parameter(vectors / scale)

    @property
    def vectors(self) -> Float[Tensor, "C E"]:
        return self.scaled * self.scale

    def gather(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> Float[Tensor, "B E"]:
        """The states at the answer's place."""
        return answer_states(backbone, [row.tokens for row in rows], injections)

    def scores(self, gathered: Float[Tensor, "B E"]) -> Float[Tensor, "B C"]:
        return gathered @ self.vectors.T

    def loss(self, gathered: Float[Tensor, "B E"], rows: Sequence[Read]) -> Float[Tensor, ""]:
        return F.cross_entropy(self.scores(gathered), wanted_of(rows, gathered.device))

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        return chosen(self.scores(self.gather(backbone, rows, injections)), self.labels)


def mean_likelihoods(found: Float[Tensor, "B W"], counts: Sequence[int]) -> Float[Tensor, "B C"]:
    """The logarithm of the mean probability of each label's words."""
    parts = found.split(list(counts), dim=1)
    means = [
        part.logsumexp(dim=1) - math.log(count) for part, count in zip(parts, counts, strict=True)
    ]
    return torch.stack(means, dim=1)


def wanted_of(rows: Sequence[Read], device: torch.device) -> Tensor:
    """The places of the labels wanted."""
    return torch.tensor([row.label for row in rows], device=device)
