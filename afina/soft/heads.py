"""A classification head on frozen features, and its start from a linear probe."""

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn


class ClassificationHead(nn.Module):
    """``logits = features @ weight.T + bias``."""

    def __init__(self, weight: Float[Tensor, "C H"], bias: Float[Tensor, "C"]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(bias.clone())

    def forward(self, features: Float[Tensor, "B H"]) -> Float[Tensor, "B C"]:
        return features @ self.weight.T + self.bias


def fit_probe(
    features: Float[Tensor, "N H"], labels: Int[Tensor, "N"], *, classes: int, strength: float
) -> ClassificationHead:
    """Logistic regression on standardised features, folded into one linear map.

    ``strength`` is scikit-learn's C; larger follows the training rows more closely. Two classes
    give two symmetric rows, so the head reads the same for any number of classes.
    """
    mean = features.mean(dim=0)
    scale = features.std(dim=0).clamp(min=1e-6)
    fitted = LogisticRegression(C=strength, max_iter=300)
    with warnings.catch_warnings():
        # few rows of many classes are no regression problem, whatever scikit-learn says of them
        warnings.filterwarnings("ignore", "The number of unique classes")
        fitted.fit(((features - mean) / scale).numpy(), labels.numpy())
    rows = torch.from_numpy(np.asarray(fitted.coef_)).float()
    offsets = torch.from_numpy(np.asarray(fitted.intercept_)).float()
    if len(rows) == 1:
        rows, offsets = torch.cat([-rows, rows]) / 2, torch.cat([-offsets, offsets]) / 2
    weight = torch.zeros(classes, features.shape[1])
    bias = torch.full((classes,), -20.0)  # a class without examples is all but ruled out
    seen = torch.from_numpy(np.asarray(fitted.classes_)).long()
    weight[seen] = rows / scale
    bias[seen] = offsets - (rows / scale) @ mean
    return ClassificationHead(weight, bias)
