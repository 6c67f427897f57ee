"""Tables: CSV and TSV in, CSV with disarmed formulas out."""

import csv
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

QUOTED = re.compile(r'"((?:[^"]++|"")*+)"')
PLAIN = re.compile(r"[^,\n]*")
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Record = tuple[int, list[str] | str]
"""The line where a record begins, and its cells or the reason why it has none."""


def read_table(path: Path, *, delimiter: str, header: bool) -> Rows:
    """Read a CSV file (``,`` with quotes) or a TSV file (tab; quotes are plain characters).

    Without a header the columns are named ``0``, ``1`` and so on.
    """
    try:
        text = read_text_file(path)
    except ValueError as error:
        return refused(path, str(error))
    records = list(csv_records(text) if delimiter == "," else tsv_records(text))
    line, first = records[0]
    if isinstance(first, str):
        return refused(path, first, line)
    reason = header_fault(first) if header else ""
    if not reason and header and len(records) == 1:
        reason = "expected rows after the header, came none"
    if reason:
        return refused(path, reason, line)
    names = first if header else [str(place) for place in range(len(first))]
    return gathered([read_record(path, record, names) for record in records[header:]])


def header_fault(names: Sequence[str]) -> str:
    """What is wrong with a header, or nothing."""
    for place, name in enumerate(names):
        if not name.strip():
            return f"expected a name for each column, came none for column {place + 1}"
        if name in names[:place]:
            return f"the column {name!r} stands twice in the header: rename one"
        try:
            check_text(name)
            check_length("the header", len(name))
        except ValueError as error:
            return str(error)
    return ""


def read_record(path: Path, record: Record, names: Sequence[str]) -> Row | Rejection:
    """Check one record against the columns."""
    line, cells = record
    if isinstance(cells, str):
        return Rejection(path, line, cells)
    try:
        for name, cell in zip(names, cells, strict=False):
            check_length(name, len(cell))
            check_text(cell)
    except ValueError as error:
        return Rejection(path, line, str(error))
    if len(cells) != len(names):
        return Rejection(
            path, line, f"expected {len(names)} columns as in the first line, came {len(cells)}"
        )
    return Row(path, line, dict(zip(names, cells, strict=True)))


def tsv_records(text: str) -> Iterator[Record]:
    """Cut lines at tabs."""
    for line, content in enumerate(text.split("\n"), 1):
        if content:
            yield line, content.split("\t")


def csv_records(text: str) -> Iterator[Record]:
    """Cut CSV (RFC 4180) into records; after a broken one, go on with the next line."""
    start, line = 0, 1
    while start < len(text):
        cells, end = csv_record(text, start)
        if text[start] != "\n":
            yield line, cells
        line += text.count("\n", start, end)
        start = end


def csv_record(text: str, start: int) -> tuple[list[str] | str, int]:
    """The cells of the record at ``start``, or what is wrong; and where the next record begins."""
    cells: list[str] = []
    place = start
    while True:
        found = (QUOTED if text.startswith('"', place) else PLAIN).match(text, place)
        if found is None:
            return "a quote is opened here and never closed", next_line(text, start)
        quoted = found.re is QUOTED
        cells.append(found[1].replace('""', '"') if quoted else found[0])
        place = found.end()
        if place == len(text) or text[place] == "\n":
            return cells, place + 1
        if text[place] != ",":
            reason = f"expected a comma after a closing quote, came {text[place]!r}"
            return reason, next_line(text, start)
        place += 1


def next_line(text: str, start: int) -> int:
    """Where the line after ``start`` begins."""
    return text.find("\n", start) + 1 or len(text)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV file in which no cell is a formula to a spreadsheet.

    A text that begins with = + - @, a tab or CR gets an apostrophe in front.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, csv.unix_dialect)
        writer.writerows([disarmed(cell) for cell in row] for row in [header, *rows])


def disarmed(cell: object) -> object:
    """A cell that a spreadsheet shows and does not run; numbers stay as they are."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
