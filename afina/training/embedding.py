"""Vectors of texts by a frozen model: the mean of its last states, of length one.

Source: Sentence-BERT, Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084, whose mean
pooling `builtin:minilm` was trained with.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from afina.backbones.backbone import Backbone, load_backbone
from afina.retrieval.embedding import Embedding, Vectors

TOKENS = 2048  # places of one batch, padding included


def embedding_of(backbone: Backbone) -> Embedding:
    """A backbone as a model of vectors; its digest is that of all its weights."""
    frozen = backbone.frozen
    return Embedding(frozen.name, frozen.digest, lambda texts: vectors_of(backbone, texts))


def load_embedding(name: str) -> Embedding:
    """The model of that name: ``builtin:minilm``, a folder or a Hub name.

    Raises:
        ModelError: nothing is there, or it cannot be frozen.
        ArtefactError: the built-in model's file is damaged.
    """
    return embedding_of(load_backbone(name))


def vectors_of(backbone: Backbone, texts: Sequence[str]) -> Vectors:
    """A vector a text, ``[N, H]``; a text longer than the model's room is cut at its end."""
    frozen = backbone.frozen
    room = frozen.positions - len(frozen.lead) - len(frozen.trail)
    rows = [frozen.encode(text)[:room] for text in texts]
    found = torch.zeros(len(rows), frozen.hidden)
    with torch.no_grad():
        for places in batches(rows):
            tokens = [rows[place] for place in places]
            states = backbone.features(tokens, [None] * len(places))
            found[places] = F.normalize(states.float(), dim=1).cpu()
    return found.numpy()


def batches(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of rows of like length, as many together as fill TOKENS with the longest of them."""
    found: list[list[int]] = []
    for place in sorted(range(len(rows)), key=lambda place: -len(rows[place])):
        longest = len(rows[found[-1][0]]) if found else 0
        if found and (len(found[-1]) + 1) * max(longest, 1) <= TOKENS:
            found[-1].append(place)
        else:
            found.append([place])
    return found
