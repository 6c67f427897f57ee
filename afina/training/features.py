"""Features of many rows, in batches of like length."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injection
from afina.soft.reading import Read
from afina.soft.soft_solver import batches_by_length


def features_of(
    backbone: Backbone, rows: Sequence[Read], injection: Injection | None
) -> Float[Tensor, "N H"]:
    """A vector a row, under one injection or none; no gradients."""
    features = torch.zeros(len(rows), backbone.frozen.hidden)
    with torch.no_grad():
        for places in batches_by_length(rows):
            tokens = [rows[place].tokens for place in places]
            features[places] = backbone.features(tokens, [injection] * len(places)).cpu()
    return features
