"""JSONL of queries in the layout of BEIR: ``_id`` and ``text``."""

from dataclasses import dataclass
from pathlib import Path

from afina.retrieval.passage_file import read_id, read_string, rows_of
from afina.task.rows import Rejection, refuse


@dataclass(frozen=True)
class Query:
    """What is looked for."""

    id: str
    text: str


def read_queries(path: Path) -> list[Query]:
    """The queries of a file; other keys of a line are left alone.

    Raises:
        DataError: lines were refused, each with path:line.
        InputError: the file cannot be read.
    """
    refused: list[Rejection] = []
    found: list[Query] = []
    for row in rows_of(path):
        try:
            if isinstance(row, Rejection):
                raise ValueError(row.reason)
            found.append(Query(read_id(row.cells), read_string(row.cells, "text")))
        except ValueError as error:
            refused.append(Rejection(path, row.line, str(error)))
    refuse(tuple(refused))
    return found
