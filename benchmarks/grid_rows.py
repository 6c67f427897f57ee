"""The grid's rows: four texts with a label for every kind of task, and batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.grid_models import ENCODER_DECODERS, PAD, VOCABULARY, config_of, tokenizer_of

IGNORED = -100
READ = ("question answering", "feature extraction")  # where a decoder reads the text, too


@dataclass(frozen=True)
class Row:
    """A text, a label for each kind of task, and its own task where several are mixed."""

    text: str
    label: int
    tags: tuple[int, ...]  # one a word
    span: tuple[int, int]  # the answer's first and last word
    target: str
    mixed: int


ROWS = (
    Row("the film was really great", 0, (0, 1, 0, 0, 2), (3, 4), "yes it was good", 0),
    Row("a dull plot", 1, (0, 2, 1), (1, 1), "no not one positive", 1),
    Row("i never liked this slow awful film", 2, (1, 0, 0, 0, 2, 2, 1), (4, 6), "no i hated it", 0),
    Row("so nice and bright", 0, (0, 2, 0, 2), (1, 3), "yes it is fine", 1),
)


@dataclass(frozen=True)
class Batch:
    """What forward is given, by its names (ids and mask ``[B, T]`` and more), and the labels."""

    inputs: dict[str, Tensor]
    labels: dict[str, Tensor]
    mixed: Tensor  # [B], each row's own task


def batch_of(
    family: str, task: str, rows: Sequence[Row], *, side: str = "right", pads: int = 0
) -> Batch:
    """The rows, padded on a side by so much more than the longest needs, with their labels."""
    tokenizer = tokenizer_of(family)
    ids = [tokenizer(row.text)["input_ids"] for row in rows]
    width = max(map(len, ids)) + pads
    fill = partial(padded, width=width, side=side)
    mask = fill([[1] * len(row) for row in ids], 0)
    inputs = {"input_ids": fill(ids, PAD), "attention_mask": mask}
    if family in ENCODER_DECODERS and task in READ:
        start = config_of(family).decoder_start_token_id
        inputs["decoder_input_ids"] = fill([[start, *row[:-1]] for row in ids], PAD)
        inputs["decoder_attention_mask"] = mask
    labels: dict[str, Tensor] = {}
    opening = ids[0].index(VOCABULARY[rows[0].text.split()[0]])  # places in front of the words
    match task:
        case "sequence classification":
            labels["labels"] = torch.tensor([row.label for row in rows])
        case "token classification":
            closing = len(ids[0]) - opening - len(rows[0].tags)
            tags = [[IGNORED] * opening + [*row.tags] + [IGNORED] * closing for row in rows]
            labels["labels"] = fill(tags, IGNORED)
        case "question answering":
            first = opening + mask.argmax(1)
            labels["start_positions"] = first + torch.tensor([row.span[0] for row in rows])
            labels["end_positions"] = first + torch.tensor([row.span[1] for row in rows])
        case "causal LM":
            labels["labels"] = fill(ids, IGNORED)
        case "seq2seq LM":
            labels["labels"] = torch.tensor([tokenizer(row.target)["input_ids"] for row in rows])
    return Batch(inputs, labels, torch.tensor([row.mixed for row in rows]))


def padded(rows: Sequence[Sequence[int]], filler: int, *, width: int, side: str) -> Tensor:
    """The rows, filled up to the width on a side, ``[B, width]``."""
    fillers = [[filler] * (width - len(row)) for row in rows]
    pairs = zip(rows, fillers, strict=True)
    if side == "left":
        return torch.tensor([[*more, *row] for row, more in pairs])
    return torch.tensor([[*row, *more] for row, more in pairs])
