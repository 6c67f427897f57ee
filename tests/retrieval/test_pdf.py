"""PDF: page by page, and what cannot be read."""

import random
from contextlib import suppress

import pytest

from afina.retrieval.pdf import read_pdf
from tests.retrieval.texts import pdf


def test_each_page_has_its_text() -> None:
    assert read_pdf(pdf("The first page.", "", "The third.")) == [
        "The first page.",
        "",
        "The third.",
    ]


def test_a_pdf_without_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"no text.*recognise its text first \(ocrmypdf IN OUT\)"):
        read_pdf(pdf("", ""))


def test_a_pdf_with_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match="asks for a password"):
        read_pdf(pdf("secret", password="key"))


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"no pdf at all", pdf("text")[:200]])
def test_what_is_no_pdf_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected a PDF, came one that cannot be read"):
        read_pdf(data)


def test_a_damaged_pdf_is_read_or_refused_and_nothing_else() -> None:
    whole = pdf("The first page.", "The second.")
    chance = random.Random(0)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(ValueError):
            assert len(read_pdf(bytes(data))) <= 2


def test_nothing_is_printed_of_a_damaged_pdf(capfd: pytest.CaptureFixture[str]) -> None:
    data = pdf("text")
    start = data.rindex(b"startxref") + len("startxref")
    assert read_pdf(data[:start] + b"\n7\n%%EOF") == ["text"]
    assert capfd.readouterr() == ("", "")
