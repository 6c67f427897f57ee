"""A bundle: a solver as a folder, numbers in safetensors and the rest in JSON."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from afina.disk import Disk, replace_file
from afina.errors import ArtefactError, InputError
from afina.solver import Packed
from afina.store.store import make_folder

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
    make_folder(folder)
    data = safetensors.numpy.save(dict(packed.arrays))
    replace_file(folder / ARRAYS, data, disk)
    arrays = hashlib.sha256(data).hexdigest()
    facts = {"format": FORMAT, "kind": packed.kind, "settings": packed.settings, "arrays": arrays}
    text = json.dumps({**facts, "digest": digest_of(facts)}, indent=1, ensure_ascii=False)
    replace_file(folder / FACTS, text.encode(), disk)


def digest_of(facts: Mapping[str, Any]) -> str:
    """sha256 of all facts but the digest itself."""
    rest = {name: value for name, value in facts.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, allow_nan=False).encode()).hexdigest()


def load_bundle(folder: Path, disk: Disk) -> Packed:
    """Read a bundle.

    Raises:
        InputError: there is none.
        ArtefactError: it is damaged, or of a newer format.
    """
    path = folder / FACTS
    if not path.is_file():
        raise InputError(f"no bundle in {folder}: expected {FACTS}; tune a prompt, or name its run")
    facts = _facts(path, disk)
    if facts.get("format") != FORMAT:
        raise ArtefactError(
            f"{path}: expected format {FORMAT}, got {facts.get('format')!r}; update afina"
        )
    try:
        whole = digest_of(facts) == facts["digest"]
        kind, settings, arrays = str(facts["kind"]), dict(facts["settings"]), facts["arrays"]
    except (KeyError, ValueError, TypeError) as error:
        raise ArtefactError(f"{path}: not a bundle ({error!r}); tune it anew") from error
    if not whole:
        raise ArtefactError(f"{path}: its facts are not those it was saved with; tune it anew")
    return Packed(kind, settings, _arrays(folder / ARRAYS, arrays, disk))


def _facts(path: Path, disk: Disk) -> dict[str, Any]:
    """The JSON object in a file that is not too large for one of ours."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FACTS:
            raise ValueError(f"expected at most {LARGEST_FACTS} bytes, came {size}")
        facts = json.loads(disk.read(path))
        if not isinstance(facts, dict):
            raise ValueError(f"expected an object, came {type(facts).__name__}")
    except (ValueError, RecursionError, OSError) as error:
        raise ArtefactError(f"{path}: not a bundle ({error}); tune it anew") from error
    return facts


def _arrays(path: Path, digest: object, disk: Disk) -> Mapping[str, NDArray[np.float32]]:
    try:
        data = disk.read(path)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ArtefactError(
                f"{path}: its bytes are not those the bundle was saved with; tune it anew"
            )
        return safetensors.numpy.load(data)
    except (safetensors.SafetensorError, OSError, KeyError) as error:
        raise ArtefactError(f"{path}: not a safetensors file ({error}); tune it anew") from error
