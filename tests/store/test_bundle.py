"""A bundle comes back as it was, or is refused."""

import errno
import hashlib
import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from afina.disk import Disk
from afina.errors import ArtefactError, InputError, SpaceError
from afina.solver import Packed
from afina.store.bundle import ARRAYS, FACTS, LARGEST_FACTS, digest_of, load_bundle, save_bundle
from tests.test_disk import FailingDisk

PACKED = Packed(
    "soft",
    {"model": "m", "rate": 0.0, "text": "", "flag": False, "nothing": None, "labels": ["ä", "b"]},
    {"prompt": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.zeros((0, 3), np.float32)},
)


def saved(folder: Path, packed: Packed = PACKED) -> Path:
    save_bundle(folder, packed, Disk())
    return folder


def test_a_bundle_comes_back_as_it_was(tmp_path: Path) -> None:
    found = load_bundle(saved(tmp_path / "a" / "b"), Disk())
    assert (found.kind, found.settings) == (PACKED.kind, PACKED.settings)
    assert set(found.arrays) == set(PACKED.arrays)
    for name, array in PACKED.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_the_same_solver_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "a"), saved(tmp_path / "b")
    for name in (FACTS, ARRAYS):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_bundle_without_arrays_is_one_too(tmp_path: Path) -> None:
    assert load_bundle(saved(tmp_path, Packed("majority", {})), Disk()).arrays == {}


@pytest.mark.parametrize("name", [FACTS, ARRAYS])
def test_no_changed_byte_is_loaded(tmp_path: Path, name: str) -> None:
    path, chance = saved(tmp_path) / name, random.Random(0)
    whole = path.read_bytes()
    for _ in range(200):
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        try:
            found = load_bundle(tmp_path, Disk())
        except ArtefactError:
            continue
        else:  # white space between two facts
            assert name == FACTS
            assert (found.kind, found.settings) == (PACKED.kind, PACKED.settings)
    for length in range(0, len(whole), max(len(whole) // 50, 1)):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtefactError, match=name):
            load_bundle(tmp_path, Disk())


def test_a_bundle_that_is_not_there_is_no_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no bundle in {tmp_path}"):
        load_bundle(tmp_path, Disk())
    (saved(tmp_path) / ARRAYS).unlink()
    with pytest.raises(ArtefactError, match=ARRAYS):
        load_bundle(tmp_path, Disk())


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "1", '{"format": 1}', "[" * 100_000, '{"format": 1, "kind": NaN}']
)
def test_facts_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (saved(tmp_path) / FACTS).write_text(text)
    with pytest.raises(ArtefactError, match=FACTS):
        load_bundle(tmp_path, Disk())


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path) / FACTS
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ArtefactError, match="expected format 1, got 2; update afina"):
        load_bundle(tmp_path, Disk())


def test_facts_too_large_for_ours_are_not_read(tmp_path: Path) -> None:
    with (saved(tmp_path) / FACTS).open("r+b") as file:
        file.truncate(LARGEST_FACTS + 1)
    with pytest.raises(ArtefactError, match="expected at most"):
        load_bundle(tmp_path, Disk())


def hostile(header: object, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(24)


def array(**changes: object) -> dict[str, object]:
    return {"x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changes}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04\x95pickle",
        hostile({}, 2**63),
        hostile(array(data_offsets=[0, 2**62])),
        hostile(array(data_offsets=[24, 0])),
        hostile(array(shape=[2**62, 2**62])),
        hostile(array(shape=[-1, 6])),
        hostile(array(dtype="O")),
        hostile({**array(), "y": array()["x"]}),
        hostile(b"{" * 1000),
    ],
    ids=str,
)
def test_hostile_arrays_with_a_true_digest_are_refused(tmp_path: Path, data: bytes) -> None:
    (saved(tmp_path) / ARRAYS).write_bytes(data)
    facts = json.loads((tmp_path / FACTS).read_text())
    facts["arrays"] = hashlib.sha256(data).hexdigest()
    facts["digest"] = digest_of(facts)
    (tmp_path / FACTS).write_text(json.dumps(facts))
    with pytest.raises(ArtefactError, match=ARRAYS):
        load_bundle(tmp_path, Disk())


@pytest.mark.parametrize("k", range(1, 9))
def test_a_full_disk_leaves_the_bundle_whole_or_none(tmp_path: Path, k: int) -> None:
    full = FailingDisk(k, OSError(errno.ENOSPC, "full"))
    with pytest.raises(SpaceError):
        save_bundle(tmp_path / "b", PACKED, full)
    assert not list(tmp_path.rglob("*afina-tmp"))
    if k < 8:
        with pytest.raises(InputError, match="no bundle"):
            load_bundle(tmp_path / "b", Disk())
    assert load_bundle(saved(tmp_path / "b"), Disk()).settings == PACKED.settings


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        save_bundle(tmp_path / "file" / "bundle", PACKED, Disk())
