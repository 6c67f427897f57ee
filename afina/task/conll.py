"""CoNLL: a token a line, its tag in a column, a blank line between sentences."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from afina.task.rows import (
    Rejection,
    Row,
    Rows,
    check_length,
    check_text,
    gathered,
    read_text_file,
    refused,
)

TAG = re.compile(r"O|[A-Z]-.+")
Block = list[tuple[int, list[str]]]
"""A sentence: line numbers and columns."""


def read_conll(path: Path, *, tokens: int, tags: int) -> Rows:
    """Read tokens and tags from columns by number, as the cells ``tokens`` and ``tags``.

    Columns are cut at tabs, or at spaces in a line without a tab. A line that begins with ``#``,
    has no tab and no tag in the tag's column is a comment; ``-DOCSTART-`` lines are skipped.
    """
    try:
        text = read_text_file(path)
    except ValueError as error:
        return refused(path, str(error))
    found = [read_sentence(path, block, tokens, tags) for block in blocks(text, tags)]
    return gathered(found) if found else refused(path, "expected sentences, came none")


def blocks(text: str, tags: int) -> Iterator[Block]:
    """Cut a text at blank lines, leaving comments out."""
    block: Block = []
    for line, content in enumerate([*text.split("\n"), ""], 1):
        columns = content.split("\t") if "\t" in content else content.split()
        if columns and not is_comment(content, columns, tags):
            block.append((line, columns))
        elif not content.strip() and block:
            yield block
            block = []


def is_comment(content: str, columns: Sequence[str], tags: int) -> bool:
    """Whether a line is a comment or begins a document."""
    if content.startswith("-DOCSTART-"):
        return True
    if not content.startswith("#") or "\t" in content:
        return False
    return not -len(columns) <= tags < len(columns) or TAG.fullmatch(columns[tags]) is None


def read_sentence(path: Path, block: Block, tokens: int, tags: int) -> Row | Rejection:
    """Read one sentence; a fault is at the line of its token."""
    width = len(block[0][1])
    for line, columns in block:
        try:
            for column in columns:
                check_text(column)
                check_length("a column", len(column))
            check_columns(columns, width, tokens, tags)
        except ValueError as error:
            return Rejection(path, line, str(error))
    cells = {"tokens": [c[tokens] for _, c in block], "tags": [c[tags] for _, c in block]}
    return Row(path, block[0][0], cells)


def check_columns(columns: Sequence[str], width: int, tokens: int, tags: int) -> None:
    """Refuse a line without the token's or the tag's column; raises ValueError."""
    if len(columns) != width:
        raise ValueError(
            f"expected {width} columns as in the sentence's first line, came {len(columns)}"
        )
    for place in (tokens, tags):
        if not -width <= place < width:
            raise ValueError(f"expected a column {place}, came {width} columns (the first is 0)")
    if not columns[tokens].strip() or tokens % width == tags % width:
        raise ValueError(f"expected a token and a tag, came {columns!r}")
    if TAG.fullmatch(columns[tags]) is None:
        raise ValueError(f"expected a tag O, B-LABEL or I-LABEL, came {columns[tags]!r}")
