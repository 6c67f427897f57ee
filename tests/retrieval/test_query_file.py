"""Queries of a file."""

from pathlib import Path

import pytest

from afina.errors import DataError, InputError
from afina.retrieval.query_file import Query, read_queries


def test_queries_come_in_order_with_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"_id": "b", "text": "one?", "doc": "x"}\n\n{"_id": 2, "text": ""}\n')
    assert read_queries(path) == [Query("b", "one?"), Query("2", "")]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"_id": "b", "text": "one?"}\n{"text": "x"}\n')
    with pytest.raises(DataError, match=r"q.jsonl:2: expected '_id'"):
        read_queries(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none.jsonl"):
        read_queries(tmp_path / "none.jsonl")
