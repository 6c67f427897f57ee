"""The built-in models: what is there, what is damaged, and how fast they load."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from afina.backbones.backbone import load_backbone
from afina.backbones.builtin.folder import ABOUT, TINY, WEIGHTS, builtin_folder
from afina.errors import ArtefactError, ModelError

TIMED = """
import time, afina.backbones.backbone as b
begun = time.perf_counter(); b.load_backbone("builtin:{name}"); print(time.perf_counter() - begun)
"""


def put(home: Path, data: bytes = b"weights") -> Path:
    folder = home / "tiny-decoder"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(data)
    about = {"sha256": hashlib.sha256(data).hexdigest()}
    (folder / ABOUT).write_text(json.dumps(about))
    return folder


def test_a_whole_model_is_found_by_its_name(tmp_path: Path) -> None:
    folder = put(tmp_path)
    assert builtin_folder("tiny-decoder", tmp_path) == folder


@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_changed_byte_is_refused_by_name(place: int, tmp_path: Path) -> None:
    folder = put(tmp_path)
    data = bytearray(b"weights")
    data[place] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(ArtefactError, match=r"model\.safetensors: expected sha256 .*install it"):
        builtin_folder("tiny-decoder", tmp_path)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    (put(tmp_path) / WEIGHTS).unlink()
    with pytest.raises(ArtefactError, match="which is not there"):
        builtin_folder("tiny-decoder", tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_garbled_description_is_refused(text: str, tmp_path: Path) -> None:
    (put(tmp_path) / ABOUT).write_text(text)
    with pytest.raises(ArtefactError, match="expected a JSON object with sha256"):
        builtin_folder("tiny-decoder", tmp_path)


def test_a_model_that_is_not_in_the_installation_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="builtin:tiny-encoder is not in this installation"):
        builtin_folder("tiny-encoder", tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "tiny-decoder/.."])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="expected builtin:minilm or one of"):
        builtin_folder(name)


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_model_loads_in_under_a_second(name: str) -> None:
    assert load_backbone(f"builtin:{name}").frozen.writes
    found = subprocess.run(
        [sys.executable, "-c", TIMED.format(name=name)], capture_output=True, text=True, check=True
    )
    assert float(found.stdout) < 1.0
