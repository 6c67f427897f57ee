"""Reads a PDF file page by page."""

import io
import logging

from pypdf import PdfReader
from pypdf.errors import PyPdfError

logging.getLogger("pypdf").addHandler(logging.NullHandler())  # it would print its warnings
BROKEN = (
    *(PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError),
    *(OSError, RecursionError, NotImplementedError, OverflowError, ArithmeticError),
)  # what pypdf raises on broken files


def read_pdf(data: bytes) -> list[str]:
    """The text of each page; a page may have none.

    Raises:
        ValueError: it cannot be read, is encrypted, or has no text at all.
    """
    try:
        pages = pages_of(PdfReader(io.BytesIO(data)))
    except BROKEN as error:
        reason = str(error).strip().partition("\n")[0][:160] or type(error).__name__
        raise ValueError(
            f"expected a PDF, came one that cannot be read ({reason}): save it anew, or take it out"
        ) from error
    if pages is None:
        raise ValueError("the PDF asks for a password: save it without one, or take it out")
    if not any(pages):
        raise ValueError(
            "the PDF has no text, perhaps only pictures of pages: recognise its text first "
            "(ocrmypdf IN OUT), or take it out"
        )
    return pages


def pages_of(reader: PdfReader) -> list[str] | None:
    """The pages' texts; None where a password is asked for."""
    if reader.is_encrypted and not reader.decrypt(""):
        return None
    texts = [page.extract_text() for page in reader.pages]
    return [text.encode("utf-8", "replace").decode().replace("\0", " ").strip() for text in texts]
