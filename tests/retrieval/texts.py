"""Passages, documents and vectors that tests of retrieval share."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from afina.retrieval.document import Document, digest_of
from afina.retrieval.embedding import Embedding, Vectors
from afina.retrieval.passage import Passage
from afina.retrieval.source import Source

WIDTH = 8


def vectors(texts: Sequence[str]) -> Vectors:
    """A vector a text, always the same, made of its words; texts of like words are near."""
    found = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
            found[row] += np.random.default_rng(seed).standard_normal(WIDTH)
    return found


WORDS = Embedding("words", "ab" * 32, vectors)


def document(name: str, *texts: str, title: str = "") -> Document:
    """A document of these passages."""
    found = tuple(Passage(f"{name}#{at}", text, title, name) for at, text in enumerate(texts))
    return Document(name, digest_of(title, *texts), Path(name), 1, lambda: found)


def source(*documents: Document, origin: str = "/docs") -> Source:
    return Source(origin, documents)


def pdf(*pages: str, password: str = "") -> bytes:
    """A PDF with these texts; a page of an empty text has nothing on it."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(300, 300)
        fonts = DictionaryObject({NameObject("/F"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject()
        content.set_data(f"BT /F 12 Tf 10 100 Td ({text}) Tj ET".encode() if text else b"")
        page[NameObject("/Contents")] = content
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    import io

    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
