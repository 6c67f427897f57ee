"""Inputs are read line by line, and a bad line is named."""

from pathlib import Path

import pytest

from afina.errors import DataError
from afina.task.inputs import read_input_file, read_inputs
from afina.task.signature import Signature

PLAIN = Signature.parse("text, count: int -> label: a | b")


def test_each_line_gives_the_signatures_inputs_and_no_more() -> None:
    data = b'{"text": "x", "count": 0, "label": "a"}\n\n{"count": 3, "text": ""}\n'
    assert read_inputs(data, PLAIN, "in") == [{"text": "x", "count": 0}, {"text": "", "count": 3}]


@pytest.mark.parametrize("data", ["\ufeff{row}\n", "{row}\r\n", "{row}", "\n\n{row}"])
def test_the_shape_of_a_line_does_not_matter(data: str) -> None:
    row = '{"text": "a\u2028b\x85c", "count": 1}'
    found = read_inputs(data.replace("{row}", row).encode(), PLAIN, "in")
    assert found == [{"text": "a\u2028b\x85c", "count": 1}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "expected a JSON object, came '[1]'"),
        (b"{", "expected JSON"),
        (b'{"text": "x"}', "expected the input 'count', came 'text'"),
        (b"{}", "expected the input 'text', came none"),
        (b'{"text": "x", "count": "many"}', "count: "),
        (b'{"text": 1, "count": 1}', "text: "),
        (b'{"text": "x", "text": "y", "count": 1}', "stands twice"),
        (b'{"text": "x", "count": NaN}', "NaN"),
        (b'{"text": "\xff", "count": 1}', "expected UTF-8"),
        (b"\0", "NUL"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_bad_line_is_named(line: bytes, reason: str) -> None:
    good = b'{"text": "x", "count": 1}\n'
    with pytest.raises(DataError) as caught:
        read_inputs(good + b"\n" + line, PLAIN, "in.jsonl")
    assert str(caught.value).startswith("in.jsonl:3: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_no_inputs_at_all_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="in: expected a JSON object of inputs on each line"):
        read_inputs(data, PLAIN, "in")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x")
    assert read_input_file(tmp_path / "in") == b"x"
    for path in (tmp_path / "nope", tmp_path):
        with pytest.raises(DataError, match=f"cannot read {path} "):
            read_input_file(path)
