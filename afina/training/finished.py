"""A finished part of a longer run: kept as one file, so that a run that was killed skips it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from afina.solver import Packed
from afina.training.checkpoint import Checkpoints


@dataclass(frozen=True)
class Finished:
    """What a part gave, and what is to be remembered of its making (plain JSON)."""

    packed: Packed
    facts: Mapping[str, Any]


def keep(keeper: Checkpoints, part: Finished) -> None:
    """Write a part; it is whole or not there.

    Raises:
        SpaceError: the disk is full.
    """
    tensors = {name: torch.from_numpy(array) for name, array in part.packed.arrays.items()}
    packed = {"kind": part.packed.kind, "settings": part.packed.settings}
    keeper.save(0, tensors, {"packed": packed, "facts": part.facts})


def kept(keeper: Checkpoints) -> Finished | None:
    """The part, or None where it is not finished.

    Raises:
        ArtefactError: its file is damaged.
    """
    saved = keeper.load()
    if saved is None:
        return None
    arrays = {name: part.numpy() for name, part in saved.tensors.items()}
    packed = saved.facts["packed"]
    return Finished(Packed(packed["kind"], packed["settings"], arrays), saved.facts["facts"])
