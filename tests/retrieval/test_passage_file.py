"""JSONL of ready passages: what is taken, and that each refused line is named."""

import json
from pathlib import Path

import pytest

from afina.errors import DataError, InputError
from afina.retrieval.passage import Passage
from afina.retrieval.passage_file import read_passage_file


def written(folder: Path, *lines: str) -> Path:
    path = folder / "p.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_line_is_a_passage(tmp_path: Path) -> None:
    rows = [
        {"_id": "a#0", "title": "A", "text": "one", "more": 1},
        {"_id": 7, "text": "two", "source": "https://example.org/a"},
    ]
    found = read_passage_file(written(tmp_path, *map(json.dumps, rows)))
    assert [each.passages() for each in found] == [
        (Passage("a#0", "one", "A", "p.jsonl"),),
        (Passage("7", "two", "", "https://example.org/a"),),
    ]


def test_the_digest_changes_with_each_part(tmp_path: Path) -> None:
    rows = [
        {"_id": "a", "title": "t", "text": "x"},
        {"_id": "b", "title": "t", "text": "y"},
        {"_id": "c", "title": "u", "text": "x"},
        {"_id": "d", "title": "tx", "text": "x"},
        {"_id": "e", "title": "t", "text": "x", "source": "s"},
    ]
    found = read_passage_file(written(tmp_path, *map(json.dumps, rows)))
    assert len({each.digest for each in found}) == len(rows)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "x"}', "expected '_id', a text or a whole number, came None"),
        ('{"_id": 1.5, "text": "x"}', "came 1.5"),
        ('{"_id": true, "text": "x"}', "came True"),
        ('{"_id": "", "text": "x"}', "1 to 300 characters"),
        ('{"_id": "a\\u0000", "text": "x"}', "1 to 300 characters"),
        (json.dumps({"_id": "a" * 301, "text": "x"}), "1 to 300 characters"),
        ('{"_id": "a"}', "expected 'text', a text, came None"),
        ('{"_id": "a", "text": ["x"]}', "came ['x']"),
        ('{"_id": "a", "text": " "}', "came an empty one"),
        ('{"_id": "a", "text": "x\\u0000"}', "NUL"),
        ('{"_id": "a", "text": "x", "title": 3}', "expected 'title', a text, came 3"),
        ('{"_id": "a", "text": "x"', "expected JSON"),
        ("[1]", "expected an object"),
        ('{"_id": "fine", "text": "x"}', "'fine' stands on line 1 too"),
        ('{"_id": "a", "text": NaN}', "came NaN"),
    ],
)
def test_a_bad_line_is_refused_by_path_and_line(tmp_path: Path, line: str, reason: str) -> None:
    path = written(tmp_path, '{"_id": "fine", "text": "x"}', line)
    with pytest.raises(DataError) as caught:
        read_passage_file(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_passage_file(tmp_path / "none.jsonl")


def test_lines_are_counted_with_those_that_are_blank(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"_id": "a", "text": "x"}\r\n\r\n \r\n{"_id": "b"}')
    with pytest.raises(DataError, match=r"p.jsonl:4: expected 'text'"):
        read_passage_file(path)


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"_id": "a", "text": "x"}', encoding="utf-16")
    with pytest.raises(DataError, match=r"p.jsonl:1: expected UTF-8, came UTF-16"):
        read_passage_file(tmp_path / "p.jsonl")
