"""Checkpoints that are whole or not there: tensors with their facts, named by their own digest."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import safe_open
from torch import Tensor

from afina.disk import Disk, replace_file, sweep
from afina.errors import AfinaError, ArtefactError

KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Tensors and plain facts at one step; ``damaged`` are newer files that were passed over."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]  # JSON
    path: Path
    damaged: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Checkpoints:
    """The newest checkpoints of a run, in a folder.

    A file is called ``step-00000120-<sha256 of its bytes>.safetensors``. One rename makes it
    appear, and a file whose bytes do not give its name is never loaded. ``weights`` is the digest
    of the model that the run began from.
    """

    folder: Path
    disk: Disk
    weights: str = ""

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
        """Write a checkpoint, then drop all but this one and those just before it.

        Files of later steps were passed over as damaged, and go. One that cannot be removed now
        is removed by the next call.

        Raises:
            SpaceError: the disk is full; the ones before are untouched.
        """
        data = safetensors.torch.save(dict(tensors), {"facts": json.dumps(facts)})
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / f"step-{step:08d}-{digest}.safetensors"
        replace_file(path, data, self.disk)
        files = self._files()
        newest = files.index(path)
        for old in {*files} - {*files[newest : newest + KEPT]}:
            with suppress(OSError):
                self.disk.remove(old)
        return path

    def load(self) -> Checkpoint | None:
        """The newest whole checkpoint, or None where none was ever written.

        Raises:
            ArtefactError: there are files, and all of them are damaged.
            AfinaError: a file cannot be read at all.
        """
        sweep(self.folder)
        damaged: list[Path] = []
        for path in self._files():
            if self._digest(path) == path.stem.rpartition("-")[2]:
                return _read(path, tuple(damaged))
            damaged.append(path)
        if damaged:
            raise ArtefactError(
                f"{damaged[0]}: no checkpoint in {self.folder} is whole (damaged: {len(damaged)}); "
                "start the run anew under another name"
            )
        return None

    def _digest(self, path: Path) -> str:
        try:
            return hashlib.sha256(self.disk.read(path)).hexdigest()
        except OSError as error:
            raise AfinaError(
                f"cannot read {path}: {error.strerror or error}; nothing is changed, run again"
            ) from error

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*-*.safetensors"), reverse=True)


def _read(path: Path, damaged: tuple[Path, ...]) -> Checkpoint:
    with safe_open(str(path), framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    return Checkpoint(tensors, facts, path, damaged)
