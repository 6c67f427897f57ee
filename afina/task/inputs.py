"""Inputs without answers, one JSON object a line: what is asked of a tuned prompt."""

from pathlib import Path

from afina.errors import DataError
from afina.solver import Value, Values
from afina.task.jsonl import read_json
from afina.task.rows import check_text
from afina.task.signature import FieldType, Signature
from afina.task.value import read_value


def read_input_file(path: Path) -> bytes:
    """The bytes of a file of inputs; raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); name a JSONL file") from error


def read_inputs(data: bytes, signature: Signature, source: str) -> list[Values]:
    """Read rows for a signature's inputs; other keys of a row are left alone.

    Raises:
        DataError: a line is no JSON object, or lacks an input; path:line is named.
    """
    lines = data.decode("utf-8-sig", "surrogateescape").split("\n")
    found = [
        read_row(line, signature, f"{source}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not found:
        raise DataError(f"{source}: expected a JSON object of inputs on each line, came none")
    return found


def read_row(line: str, signature: Signature, place: str) -> Values:
    """One line as inputs; raises DataError."""
    try:
        check_text(line)
        row = read_json(line)
        if not isinstance(row, dict):
            raise ValueError(f"expected a JSON object, came {line.strip()[:80]!r}")
        return {field.name: read_field(row, field.name, field.type) for field in signature.inputs}
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error


def read_field(row: dict[str, object], name: str, kind: FieldType) -> Value:
    """The value of one input; raises ValueError."""
    if name not in row:
        raise ValueError(f"expected the input {name!r}, came {', '.join(map(repr, row)) or 'none'}")
    try:
        return read_value(kind, row[name])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
