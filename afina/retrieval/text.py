"""Reads text and Markdown files: their encoding, and a Markdown file's title."""

import codecs
import re

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)


def read_text(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its mark; line ends become LF.

    Raises:
        ValueError: it is in neither, or no text.
    """
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"expected UTF-8, came the byte 0x{data[error.start]:02x} at byte {error.start}: "
            "save the file as UTF-8"
        ) from error
    return checked(text.replace("\r\n", "\n").replace("\r", "\n"))


def checked(text: str) -> str:
    """The same text; raises ValueError where it holds NUL, as no text does."""
    if "\0" in text:
        raise ValueError("expected text, came a NUL character")
    return text


def heading(text: str) -> str:
    """The first heading of a Markdown text, or nothing."""
    found = HEADING.search(text)
    return found[1] if found else ""
