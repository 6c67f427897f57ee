"""Encodings of text files, and titles."""

import codecs

import pytest

from afina.retrieval.text import heading, read_text

TEXT = "Coração\nde pão"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
    ],
)
def test_one_text_in_any_encoding_that_can_be_told_is_the_same(data: bytes) -> None:
    assert read_text(data) == TEXT


def test_bytes_that_are_no_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(ValueError, match="came the byte 0xe7 at byte 5: save the file as UTF-8"):
        read_text("Coração".encode("latin-1").replace(b"Cora", b"Corar"))


def test_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="came a NUL character"):
        read_text(b"a\0b")


@pytest.mark.parametrize(
    ("text", "title"),
    [("intro\n## Two words ##\n# One", "Two words"), ("no heading #here", ""), ("#tag", "")],
)
def test_the_title_is_the_first_heading(text: str, title: str) -> None:
    assert heading(text) == title
