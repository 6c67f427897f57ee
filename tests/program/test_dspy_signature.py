"""Signature strings of DSPy's are read as Python's syntax, and never run."""

import json
from pathlib import Path
from typing import Any

import pytest

from afina.errors import InputError, SignatureError
from afina.program.dspy_signature import read_signature, write_signature
from afina.task.signature import Boolean, Choice, Integer, Number, Signature, Text, TextList

FILE = Path(__file__).parent / "references" / "dspy_renderings.json"
REFERENCE: Any = json.loads(FILE.read_text())


def test_each_type_is_read() -> None:
    inputs = "q, n: int, x: float"
    outputs = "ok: bool, w: list[str], v: List[str], m: Literal['a', \"b c\"], s: str"
    found = read_signature(f"{inputs} -> {outputs}")
    assert [each.type for each in found.inputs] == [Text(), Integer(), Number()]
    assert [each.type for each in found.outputs] == [
        *(Boolean(), TextList(), TextList(), Choice(("a", "b c")), Text()),
    ]


@pytest.mark.parametrize("text", REFERENCE["instructions"])
def test_without_an_instruction_it_has_the_one_of_dspys(text: str) -> None:
    assert read_signature(text).instruction == REFERENCE["instructions"][text]
    assert read_signature(text, "").instruction == ""


def test_writing_and_reading_change_nothing() -> None:
    signature = Signature.parse("q, n: int -> ok: bool, w: list[str], x: float, m: it's | b")
    assert read_signature(write_signature(signature), "") == signature


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("question", "such as 'question -> answer'"),
        ("a -> b -> c", "such as 'question -> answer'"),
        ("a -> b: os.system", "no other is looked up or imported"),
        ("a -> b: dspy.Image", "as the type of 'b'"),
        ("a -> b: Literal[1, 2]", "as the type of 'b'"),
        ("a -> b: __import__('os').system('true')", "as the type of 'b'"),
        ("a b -> c", "cannot be read as names with types"),
        ("a -> b=1", "another sign"),
        ("*a -> b", "another sign"),
        ("a, a -> b", "stands twice|cannot be read"),
        (" -> b", "at least one input"),
        ("a): pass\nimport os\ndef g(b -> c", "cannot be read|such as|another"),
        ("a -> " + "b" * 20_000, "at most 10000 characters"),
    ],
)
def test_what_is_no_signature_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SignatureError, match=reason):
        read_signature(text)


def test_spans_have_no_name_there() -> None:
    with pytest.raises(InputError, match="which DSPy's layout does not have"):
        write_signature(Signature.parse("a -> b: spans"))
