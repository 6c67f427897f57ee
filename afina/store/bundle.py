"""A bundle: a solver as a folder, numbers in safetensors and the rest in JSON."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from afina.disk import Disk, replace_file
from afina.errors import ArtefactError, InputError
from afina.solver import Packed

FORMAT = 1
FACTS = "bundle.json"
ARRAYS = "arrays.safetensors"
LARGEST_FACTS = 16 * 2**20  # bytes of bundle.json; ours take a few thousand


def save_bundle(folder: Path, packed: Packed, disk: Disk) -> None:
    """Write the arrays, then the facts that name their digest: the second makes the bundle.

    Raises:
        SpaceError: the disk is full.
        InputError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = safetensors.numpy.save(dict(packed.arrays))
    replace_file(folder / ARRAYS, data, disk)
    facts = {
        "format": FORMAT,
        "kind": packed.kind,
        "settings": packed.settings,
        "arrays": hashlib.sha256(data).hexdigest(),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
    replace_file(folder / FACTS, text.encode(), disk)


def load_bundle(folder: Path, disk: Disk) -> Packed:
    """Read a bundle.

    Raises:
        InputError: there is none.
        ArtefactError: it is damaged, or of a newer format.
    """
    path = folder / FACTS
    if not path.is_file():
        raise InputError(f"no bundle in {folder}: expected {FACTS}; tune a prompt, or name its run")
    if path.stat().st_size > LARGEST_FACTS:
        raise ArtefactError(f"{path}: expected at most {LARGEST_FACTS} bytes; tune it anew")
    try:
        facts = json.loads(disk.read(path))
        form, kind, settings, digest = (
            facts[name] for name in ("format", "kind", "settings", "arrays")
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtefactError(f"{path}: not a bundle ({error}); tune it anew") from error
    if form != FORMAT:
        raise ArtefactError(f"{path}: expected format {FORMAT}, got {form!r}; update afina")
    return Packed(str(kind), settings, _arrays(folder / ARRAYS, digest, disk))


def _arrays(path: Path, digest: str, disk: Disk) -> Mapping[str, NDArray[np.float32]]:
    data = disk.read(path) if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtefactError(f"{path}: its bytes are not those the bundle was saved with")
    try:
        return safetensors.numpy.load(data)
    except safetensors.SafetensorError as error:
        raise ArtefactError(f"{path}: not a safetensors file ({error}); tune it anew") from error
