"""Parquet: rows by column."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet

from afina.task.rows import LIMIT, Rejection, Row, Rows, check_length, gathered, refused


def read_parquet(path: Path) -> Rows:
    """Read a Parquet file; a row's line is its number, from 1."""
    try:
        names = pyarrow.parquet.read_schema(path).names
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            return refused(path, f"the column {twice[0]!r} stands twice: rename one")
        table = pyarrow.parquet.read_table(path)
        rows = [cells for batch in table.to_batches(1024) for cells in batch.to_pylist()]
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0]
        return refused(path, f"expected a Parquet file, came an error: {reason}")
    found = [read_row(path, line, cells) for line, cells in enumerate(rows, 1)]
    return gathered(found) if found else refused(path, "expected rows, came none")


def read_row(path: Path, line: int, cells: dict[str, object]) -> Row | Rejection:
    """Check the length of each cell."""
    try:
        for name, cell in cells.items():
            if isinstance(cell, str):
                check_length(name, len(cell))
            elif isinstance(cell, list) and len(cell) > LIMIT // 100:
                check_length(name, len(json.dumps(cell, default=str)))
    except ValueError as error:
        return Rejection(path, line, str(error))
    return Row(path, line, cells)
