"""Rows of a data file: those accepted, and those rejected with their line and the reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afina.errors import DataError

LIMIT = 1_000_000
"""The longest field, in characters."""


@dataclass(frozen=True)
class Row:
    """The raw cells of one row by column, and the line where it begins."""

    path: Path
    line: int
    cells: Mapping[str, object]


@dataclass(frozen=True)
class Rejection:
    """A row, or a whole file, that was refused."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True)
class Rows:
    """Every row of a source: accepted or rejected."""

    accepted: tuple[Row, ...]
    rejected: tuple[Rejection, ...]


def refused(path: Path, reason: str, line: int = 1) -> Rows:
    """A file that is refused as a whole."""
    return Rows((), (Rejection(path, line, reason),))


def gathered(found: list[Row | Rejection]) -> Rows:
    """Sort what a reader found into accepted and rejected."""
    return Rows(
        tuple(row for row in found if isinstance(row, Row)),
        tuple(row for row in found if isinstance(row, Rejection)),
    )


def read_text_file(path: Path) -> str:
    """Read a UTF-8 file, with or without BOM, LF or CRLF; raises ValueError for the whole file.

    Bytes that are no UTF-8 come as lone surrogates, which ``check_text`` finds row by row.
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
        raise ValueError("expected UTF-8, came UTF-16 or UTF-32: save the file as UTF-8")
    text = data.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n")
    if not text.strip():
        raise ValueError("expected rows, came an empty file")
    if "\r" in text and "\n" not in text:
        raise ValueError("expected lines that end in LF or CRLF, came CR alone")
    return text


def check_text(text: str) -> None:
    """Refuse NUL and bytes that are no UTF-8; raises ValueError."""
    if "\0" in text:
        raise ValueError("expected text, came a NUL character")
    found = re.search("[\udc80-\udcff]", text)
    if found:
        byte = ord(found.group()) - 0xDC00
        raise ValueError(f"expected UTF-8, came the byte 0x{byte:02x}: save the file as UTF-8")


def check_length(name: str, length: int) -> None:
    """Refuse a field over the limit; raises ValueError."""
    if length > LIMIT:
        raise ValueError(
            f"expected at most {LIMIT:,} characters in a field, came {length:,} in {name!r}"
        )


def refuse(rejected: tuple[Rejection, ...]) -> None:
    """Raise DataError where rows were rejected, with the first twenty."""
    if not rejected:
        return
    lines = [str(rejection) for rejection in rejected[:20]]
    if len(rejected) > 20:
        lines.append(f"and {len(rejected) - 20} more")
    raise DataError("\n".join(lines))
