"""An encoder-decoder that follows a decoder: at each place it is to say what the decoder says.

A place's state tells more than the word behind it: Sanh et al. 2019,
https://arxiv.org/abs/1910.01108. What is read is followed layer by layer, as both have the same
layers (recipes/adaptation.py); what is written, at the end.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recipes.vocabulary import ASSISTANT, FIRST_GAP, PAD


def distance(
    decoder: Any, read: Tensor, written: Tensor, layers: Sequence[Tensor], end: Tensor
) -> Tensor:
    """How far an encoder's layers and a writer's end are from a decoder that reads both in a row.

    ``read`` [rows, read places] with an end and ``written`` [rows, written places] have padding
    behind. The writer's first place is the last that is read: both go on from there.
    """
    ids, sizes = in_a_row(read, written)
    before, own = (read != PAD).sum(1, keepdim=True) - 1, sizes[:, None]
    places = torch.arange(ids.shape[1], device=ids.device)
    with torch.no_grad():
        told = decoder.model(input_ids=ids, output_hidden_states=True).hidden_states[1:]
    reading = places < before
    writing = (places >= before - 1) & (places < own)
    seen = torch.arange(read.shape[1], device=ids.device) < before
    far = [apart(mine[seen], its[reading]) for mine, its in zip(layers, told, strict=True)]
    return torch.stack([*far, apart(end[written != PAD], told[-1][writing])]).sum()


def in_a_row(read: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
    """What is read and what is written as a decoder reads it, and how many places each row has.

    Neither has its end; the assistant's mark stands where the answer is left out.
    """
    rows = [
        torch.cat([one[one != PAD][:-1], other[other != PAD][:-1]])
        for one, other in zip(read, written, strict=True)
    ]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
    sizes = torch.tensor([len(row) for row in rows], device=read.device)
    return ids.masked_fill(ids == FIRST_GAP, ASSISTANT), sizes


def apart(own: Tensor, told: Tensor) -> Tensor:
    """The square of the difference, as a share of what is told; 0 where both are the same."""
    return ((own - told).square().sum(-1) / told.square().sum(-1)).mean()
