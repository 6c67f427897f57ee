"""Inputs without answers, one JSON object a line: what is asked of a tuned prompt."""

import json

from afina.errors import DataError
from afina.solver import Values
from afina.task.signature import Signature
from afina.task.value import read_value


def read_inputs(data: bytes, signature: Signature, source: str) -> list[Values]:
    """Read rows for a signature's inputs; other keys of a row are left alone.

    Raises:
        DataError: a line is no JSON object, or lacks an input; path:line is named.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: expected UTF-8, came other bytes at {error.start}") from error
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
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: expected a JSON object, came {line[:80]!r}") from error
    if not isinstance(row, dict):
        raise DataError(f"{place}: expected a JSON object, came {line[:80]!r}")
    values = {}
    for field in signature.inputs:
        if field.name not in row:
            names = ", ".join(repr(name) for name in row) or "nothing"
            raise DataError(f"{place}: expected the input {field.name!r}, came {names}")
        try:
            values[field.name] = read_value(field.type, row[field.name])
        except ValueError as error:
            raise DataError(f"{place}: {field.name}: {error}") from error
    return values
