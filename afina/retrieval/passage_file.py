"""JSONL of ready passages in the layout of BEIR: ``_id``, ``title``, ``text``.

Source: BEIR, Thakur et al. 2021, https://arxiv.org/abs/2104.08663.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from afina.errors import InputError
from afina.retrieval.document import Document, digest_of
from afina.retrieval.passage import Passage
from afina.task.jsonl import read_line
from afina.task.rows import Rejection, Row, read_text_file, refuse

LINE = re.compile(r"[^\n]*\n?")
LONGEST = 300  # characters of an id


def read_passage_file(path: Path) -> tuple[Document, ...]:
    """Each line as a document of one passage; ``title`` and ``source`` may be left out.

    Raises:
        DataError: lines were refused, each with path:line.
        InputError: the file cannot be read.
    """
    refused: list[Rejection] = []
    found: dict[str, Document] = {}
    for row in rows_of(path):
        try:
            if isinstance(row, Rejection):
                raise ValueError(row.reason)
            document = read_passage(row)
            if document.name in found:
                before = found[document.name].line
                raise ValueError(f"the _id {document.name!r} stands on line {before} too")
            found[document.name] = document
        except ValueError as error:
            refused.append(Rejection(path, row.line, str(error)))
    refuse(tuple(refused))
    return tuple(found.values())


def rows_of(path: Path) -> Iterator[Row | Rejection]:
    """The rows of a JSONL file one by one, so that no two copies of a large one are held.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        text = read_text_file(path)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}); name a JSONL file") from error
    except ValueError as error:
        yield Rejection(path, 1, str(error))
        return
    for number, line in enumerate(LINE.finditer(text), start=1):
        if line[0].strip():
            yield read_line(path, number, line[0])


def read_passage(row: Row) -> Document:
    """One line; raises ValueError."""
    name = read_id(row.cells)
    text, title = read_string(row.cells, "text"), read_string(row.cells, "title", "")
    if not text.strip():
        raise ValueError("expected a text, came an empty one")
    passage = Passage(name, text, title, read_string(row.cells, "source", row.path.name))
    digest = digest_of(passage.text, passage.title, passage.source)
    return Document(name, digest, row.path, row.line, lambda: (passage,))


def read_id(cells: Mapping[str, object]) -> str:
    """The ``_id`` of a line, a text or a whole number; raises ValueError."""
    found = cells.get("_id")
    name = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(name, str):
        raise ValueError(f"expected '_id', a text or a whole number, came {found!r}")
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise ValueError(
            f"expected an '_id' of 1 to {LONGEST} characters that can be printed, "
            f"came {name[:80]!r}"
        )
    return name


def read_string(cells: Mapping[str, object], name: str, missing: str | None = None) -> str:
    """A text of a line; raises ValueError."""
    found = cells.get(name, missing)
    if not isinstance(found, str):
        raise ValueError(f"expected {name!r}, a text, came {found!r}")
    if "\0" in found:
        raise ValueError(f"expected text in {name!r}, came a NUL character")
    return found
