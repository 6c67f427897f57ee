"""Regression: a number read off the backbone's features.

``number = mean + scale * (features @ weight.T + bias)``; mean and scale are those of the training
targets, so that the loss, a mean squared error, does not depend on their unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injections
from afina.soft.answer import Answered
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read


@dataclass(frozen=True)
class Scale:
    """The unit of a number: its mean and standard deviation in training; whole numbers or not."""

    mean: float
    deviation: float
    whole: bool


class NumberAnswer(nn.Module):
    """A trained head with one output, on targets of mean 0 and deviation 1."""

    def __init__(self, head: ClassificationHead, scale: Scale) -> None:
        super().__init__()
        self.head = head
        self.scale = scale

    def gather(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> Float[Tensor, "B H"]:
        """Features."""
        return backbone.features([row.tokens for row in rows], injections)

    def loss(self, gathered: Float[Tensor, "B H"], rows: Sequence[Read]) -> Tensor:
        numbers = [(row.number - self.scale.mean) / self.scale.deviation for row in rows]
        wanted = torch.tensor(numbers, dtype=torch.float32, device=gathered.device)
        return F.mse_loss(self.head(gathered)[:, 0], wanted)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        return self.decide(self.gather(backbone, rows, injections), rows)

    def decide(self, gathered: Float[Tensor, "B H"], rows: Sequence[Read]) -> list[Answered]:
        """The number of each row, rounded where whole ones are wanted."""
        found = self.head(gathered)[:, 0].double() * self.scale.deviation + self.scale.mean
        return [(round(each) if self.scale.whole else each, {}) for each in found.tolist()]


def scale_of(rows: Sequence[Read], *, whole: bool) -> Scale:
    """The unit of the rows' numbers; the deviation is 1 where they are all equal."""
    numbers = np.array([row.number for row in rows], dtype=np.float64)
    return Scale(float(numbers.mean()), float(numbers.std()) or 1.0, whole)


def fit_ridge(
    features: Float[Tensor, "N H"], rows: Sequence[Read], scale: Scale, *, strength: float
) -> ClassificationHead:
    """Ridge regression on standardised features, folded into one linear map.

    ``strength`` is the inverse of the penalty, so that larger follows the rows more closely, as
    in logistic regression.
    """
    mean = features.mean(dim=0)
    spread = features.std(dim=0, correction=0).clamp(min=1e-6)
    numbers = [(row.number - scale.mean) / scale.deviation for row in rows]
    fitted = Ridge(alpha=1 / strength).fit(((features - mean) / spread).numpy(), numbers)
    weight = torch.from_numpy(np.asarray(fitted.coef_)).float() / spread
    bias = torch.tensor([float(fitted.intercept_)]) - weight @ mean
    return ClassificationHead(weight[None], bias)
