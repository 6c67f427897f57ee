"""Windows of rows: what is too long for one row is read in several."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injections
from afina.soft.reading import Read

TOGETHER = 32  # windows in a pass at most, where rows have several
Item = TypeVar("Item")


def windows_of(rows: Sequence[Read]) -> list[Read]:
    """The windows of all rows, one after the other; a row without is its own window."""
    return [window for row in rows for window in row.windows or (row,)]


def by_row(rows: Sequence[Read], items: Iterable[Item]) -> Iterator[list[Item]]:
    """What belongs to each window, gathered row by row."""
    each = iter(items)
    for row in rows:
        yield list(islice(each, max(len(row.windows), 1)))


def states_of(
    backbone: Backbone, rows: Sequence[Read], injections: Injections
) -> Float[Tensor, "W T H"]:
    """The states of the windows' own tokens, right-padded with zeros."""
    windows = windows_of(rows)
    whose = [
        injection
        for row, injection in zip(rows, injections, strict=True)
        for _ in row.windows or (row,)
    ]
    size = max(TOGETHER, len(rows))
    parts = [
        backbone.states([each.tokens for each in windows[at : at + size]], whose[at : at + size])
        for at in range(0, len(windows), size)
    ]
    width = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(part, (0, 0, 0, width - part.shape[1])) for part in parts])
