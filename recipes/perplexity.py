"""Bits a model needs for a byte of text: comparable across tokenizers."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F

from afina.backbones.frozen import Frozen

ROWS = 16  # windows at once


def bits_per_byte(frozen: Frozen, texts: Iterable[str], places: int) -> float:
    """The mean over all bytes; each window of so many places is read from its own start."""
    lead, bits, size = list(frozen.lead) or [frozen.pad], 0.0, 0
    width = places - len(lead)
    for text in texts:
        ids = frozen.encode(text)
        size += len(text.encode())
        windows = [ids[start : start + width] for start in range(0, len(ids), width)]
        for start in range(0, len(windows), ROWS):
            rows = [[*lead, *window] for window in windows[start : start + ROWS]]
            bits += nats(frozen, rows, len(lead)) / math.log(2)
    return bits / size


def nats(frozen: Frozen, rows: list[list[int]], lead: int) -> float:
    """Minus the log-probability of all tokens behind the lead."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    real = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.no_grad():
        logits = frozen.model(input_ids=ids, attention_mask=real).logits.float()
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return float(losses[:, lead - 1 :][real[:, lead:] == 1].sum())
