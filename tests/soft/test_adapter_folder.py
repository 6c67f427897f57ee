"""Hostile and damaged adapter folders: refused fast, in little memory, and nothing is followed."""

import json
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from afina.errors import AfinaError, ArtefactError, InputError
from afina.soft.adapter_folder import CONFIG, NUMBERS, PICKLE
from afina.soft.interchange import read_peft
from tests.soft.test_interchange import good, with_config
from tests.tiny import shared


def header_of(entries: object) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def one(shape: list[int], offsets: list[int], kind: str = "F32") -> dict[str, object]:
    return {"prompt_embeddings": {"dtype": kind, "shape": shape, "data_offsets": offsets}}


HOSTILE_NUMBERS: dict[str, bytes] = {
    "empty": b"",
    "short": b"\x01\x02",
    "header of 2^63": struct.pack("<Q", 2**63) + b"{}",
    "header of 2^64-1": struct.pack("<Q", 2**64 - 1) + b"{}",
    "header beyond the file": struct.pack("<Q", 500_000) + b"{}",
    "header of 2 MiB": header_of(b"{" + b" " * (2**21) + b"}"),
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00cposix\nsystem\n",
    "no json": header_of(b"not json"),
    "deep json": header_of(b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    "overlapping": header_of(
        {**one([2, 32], [0, 256]), "x": one([2, 32], [128, 384])["prompt_embeddings"]}
    )
    + bytes(384),
    "beyond the end": header_of(one([3, 32], [0, 384])) + bytes(100),
    "more than named": header_of(one([3, 32], [0, 384])) + bytes(1000),
    "backward": header_of(one([3, 32], [384, 0])) + bytes(384),
    "overflowing shape": header_of(one([2**62, 2**62], [0, 384])) + bytes(384),
    "negative shape": header_of(one([-3, 32], [0, 384])) + bytes(384),
    "another length": header_of(one([3, 32], [0, 256])) + bytes(256),
    "unknown type": header_of(one([3, 32], [0, 384], "Q9")) + bytes(384),
    "whole numbers": header_of(one([3, 32], [0, 384], "I32")) + bytes(384),
    "NaN": header_of(one([3, 32], [0, 384])) + b"\x00\x00\xc0\x7f" * 96,
    "infinite": header_of(one([3, 32], [0, 384])) + b"\x00\x00\x80\xff" * 96,
    "nothing": header_of({}),
    "another name": header_of({"weight": one([3, 32], [0, 384])["prompt_embeddings"]}) + bytes(384),
    "one more": header_of(
        {**one([3, 32], [0, 384]), "w": one([1], [384, 388])["prompt_embeddings"]}
    )
    + bytes(388),
    "narrow": header_of(one([3, 31], [0, 372])) + bytes(372),
    "flat": header_of(one([96], [0, 384])) + bytes(384),
    "longer": header_of(one([4, 32], [0, 512])) + bytes(512),
}


@pytest.mark.parametrize("name", list(HOSTILE_NUMBERS))
def test_hostile_numbers_are_refused_fast_and_in_little_memory(name: str, tmp_path: Path) -> None:
    backbone = good(tmp_path)
    read_peft(tmp_path, backbone)  # what is imported late is, and sites are known
    (tmp_path / NUMBERS).write_bytes(HOSTILE_NUMBERS[name])
    error, seconds, peak = refusal(tmp_path, backbone)
    assert isinstance(error, ArtefactError)
    assert seconds < 0.1
    assert peak < 8 * 2**20


def refusal(folder: Path, backbone: Backbone) -> tuple[AfinaError, float, int]:
    """The error in one line, its seconds, and the bytes that Python took meanwhile."""
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(AfinaError) as caught:
        read_peft(folder, backbone)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return caught.value, seconds, peak


@pytest.mark.parametrize("name", ["header of 2^63", "header beyond the file", "header of 2 MiB"])
def test_a_header_is_measured_before_it_is_read(name: str, tmp_path: Path) -> None:
    backbone = good(tmp_path)
    (tmp_path / NUMBERS).write_bytes(HOSTILE_NUMBERS[name])
    assert "expected a header of" in str(refusal(tmp_path, backbone)[0])


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    backbone = good(tmp_path)
    with (tmp_path / NUMBERS).open("r+b") as file:
        file.truncate(2**40)  # sparse
    error, seconds, _ = refusal(tmp_path, backbone)
    assert "expected 8 to" in str(error)
    assert seconds < 0.1


HOSTILE_CONFIGS: dict[str, bytes] = {
    "empty": b"",
    "no json": b"peft",
    "a list": b"[]",
    "no text": b"\xff\xfe\x00",
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of a million digits": b'{"num_virtual_tokens": ' + b"9" * 1_000_000 + b"}",
    "long": b'{"a": "' + b"x" * 2**21 + b'"}',
}


@pytest.mark.parametrize("name", list(HOSTILE_CONFIGS))
def test_hostile_configs_are_refused_fast_and_in_little_memory(name: str, tmp_path: Path) -> None:
    backbone = good(tmp_path)
    read_peft(tmp_path, backbone)
    (tmp_path / CONFIG).write_bytes(HOSTILE_CONFIGS[name])
    error, seconds, peak = refusal(tmp_path, backbone)
    assert isinstance(error, ArtefactError)
    assert seconds < 0.1
    assert peak < 32 * 2**20


def test_a_pickle_is_refused_with_what_to_do(tmp_path: Path) -> None:
    backbone = good(tmp_path)
    (tmp_path / NUMBERS).rename(tmp_path / PICKLE)
    with pytest.raises(ArtefactError, match=r"is a pickle, .* save_pretrained it again"):
        read_peft(tmp_path, backbone)


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected {CONFIG} and {NUMBERS}"):
        read_peft(tmp_path, shared("gpt2"))
    good(tmp_path)
    (tmp_path / NUMBERS).unlink()
    with pytest.raises(InputError, match=f"expected {NUMBERS} beside"):
        read_peft(tmp_path, shared("gpt2"))


def test_names_that_could_lead_elsewhere_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No code, no other model's name and no network; broken by opening a socket."""

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a network was asked for")

    monkeypatch.setattr("socket.socket.connect", opened)
    monkeypatch.setattr("socket.getaddrinfo", opened)
    backbone = good(tmp_path)
    with_config(
        tmp_path,
        base_model_name_or_path="http://example.com/evil",
        revision="main",
        auto_mapping={"base_model_class": "os.system", "parent_library": "os"},
        trust_remote_code=True,
        prompt_tuning_init_state_dict_path="http://example.com/x.bin",
        tokenizer_name_or_path="evil/evil",
    )
    assert isinstance(read_peft(tmp_path, backbone), Embeddings)
