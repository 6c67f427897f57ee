"""JSONL of queries in the layout of BEIR: ``_id`` and ``text``."""

from dataclasses import dataclass
from pathlib import Path

from afina.errors import DataError
from afina.retrieval.passage_file import read_id, read_string
from afina.task.jsonl import read_jsonl
from afina.task.rows import Rejection, refuse


@dataclass(frozen=True)
class Query:
    """What is looked for."""

    id: str
    text: str


def read_queries(path: Path) -> list[Query]:
    """The queries of a file; other keys of a line are left alone.

    Raises:
        DataError: the file cannot be read, or lines were refused, each with path:line.
    """
    try:
        rows = read_jsonl(path)
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); name a JSONL file") from error
    refused, found = list(rows.rejected), []
    for row in rows.accepted:
        try:
            found.append(Query(read_id(row.cells), read_string(row.cells, "text")))
        except ValueError as error:
            refused.append(Rejection(path, row.line, str(error)))
    refuse(tuple(refused))
    return found
