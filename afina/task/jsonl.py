"""JSONL: one JSON object a line."""

import json
from pathlib import Path
from typing import NoReturn

from afina.task.rows import (
    LIMIT,
    Rejection,
    Row,
    Rows,
    check_length,
    check_text,
    gathered,
    read_text_file,
    refused,
)


def read_jsonl(path: Path) -> Rows:
    """Read a JSONL file; blank lines are no rows."""
    try:
        text = read_text_file(path)
    except ValueError as error:
        return refused(path, str(error))
    lines = enumerate(text.split("\n"), 1)
    return gathered([read_line(path, line, content) for line, content in lines if content.strip()])


def read_line(path: Path, line: int, content: str) -> Row | Rejection:
    """Read one line."""
    try:
        check_text(content)
        cells = read_json(content)
        if not isinstance(cells, dict):
            raise ValueError(f"expected an object {{...}}, came {type(cells).__name__}")
        if len(content) > LIMIT:
            for name, cell in cells.items():
                check_length(name, len(cell if isinstance(cell, str) else json.dumps(cell)))
    except ValueError as error:
        return Rejection(path, line, str(error))
    return Row(path, line, cells)


def read_json(text: str) -> object:
    """Read JSON strictly: no NaN, no infinity, no key twice; raises ValueError."""
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=read_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, came an error: {error.msg} at {place(error)}") from error
    except RecursionError as error:
        raise ValueError("expected JSON, came one nested too deep") from error


def place(error: json.JSONDecodeError) -> str:
    """Where JSON broke."""
    column = f"column {error.colno}"
    return column if error.lineno == 1 else f"line {error.lineno}, {column}"


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN, Infinity and -Infinity."""
    raise ValueError(f"expected JSON, came {name}, which JSON does not have")


def read_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object, refused where a key stands twice."""
    cells = dict(pairs)
    if len(cells) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return cells
