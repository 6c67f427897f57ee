"""What is indexed: a folder of documents, one document, or a JSONL file of ready passages."""

import stat
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from afina.errors import InputError
from afina.retrieval.cut import Cutting, cut
from afina.retrieval.document import Document, digest_of
from afina.retrieval.folder import KINDS, Listing, list_folder, read_bytes
from afina.retrieval.html import read_html
from afina.retrieval.passage import Passage
from afina.retrieval.passage_file import read_passage_file
from afina.retrieval.pdf import read_pdf
from afina.retrieval.text import heading, read_text
from afina.task.rows import Rejection, refuse


@dataclass(frozen=True)
class Source:
    """The documents of one place, and the names of files there that were left alone."""

    origin: str  # the place
    documents: tuple[Document, ...]
    skipped: tuple[str, ...] = ()


def read_source(path: Path, cutting: Cutting) -> Source:
    """Look at all documents; each is read and cut when its passages are asked for.

    Raises:
        InputError: nothing is there, or nothing that can be indexed.
        DataError: names or rows were refused.
    """
    origin = origin_of(path)
    kind = kind_of(path)
    if kind == ".jsonl":
        return Source(origin, read_passage_file(path))
    if kind == "folder":
        found = list_folder(path)
    elif kind in KINDS:
        path, found = path.parent, Listing((path.name,), (), ())
    else:
        raise InputError(
            f"expected a folder, a .jsonl of passages or a document ({', '.join(sorted(KINDS))}), "
            f"got {str(path)!r}"
        )
    return Source(origin, documents_of(path, found, cutting), found.skipped)


def kind_of(path: Path) -> str:
    """``folder``, a file's suffix, or nothing where there is neither."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if stat.S_ISDIR(mode):
        return "folder"
    return path.suffix.lower() if stat.S_ISREG(mode) else ""


def origin_of(path: Path) -> str:
    """The name under which a place's documents are kept: its full path.

    Raises:
        InputError: the path holds control characters.
    """
    if not str(path).isprintable():
        raise InputError(f"expected a path without control characters, got {str(path)!r}")
    return str(path.resolve())


def documents_of(folder: Path, listing: Listing, cutting: Cutting) -> tuple[Document, ...]:
    """A folder's files as documents.

    Raises:
        DataError: some were refused.
    """
    refused = list(listing.refused)
    documents = []
    for name in listing.files:
        try:
            documents.append(document_at(folder / name, name, cutting))
        except ValueError as error:
            refused.append(Rejection(folder / name, 1, str(error)))
    refuse(tuple(refused))
    return tuple(documents)


def document_at(path: Path, name: str, cutting: Cutting) -> Document:
    """A file as a document; its digest is that of its bytes and of how it is cut.

    Raises:
        ValueError: it cannot be read.
    """
    digest = digest_of(f"{cutting}", read_bytes(path))
    return Document(name, digest, path, 1, cache(partial(passages_at, path, name, cutting)))


def passages_at(path: Path, name: str, cutting: Cutting) -> tuple[Passage, ...]:
    """Read a file and cut it, page by page.

    Raises:
        ValueError: it cannot be read, or has no words.
    """
    title, pages = read_document(path)
    stretches = [
        (text[start:end], f"characters {start}-{end}" if place is None else place)
        for place, text in pages
        for start, end in cut(text, cutting)
    ]
    if not stretches:
        raise ValueError("expected a text, came no word: write one, or take the file out")
    return tuple(
        Passage(f"{name}#{number}", text, title or path.stem, f"{name}, {place}")
        for number, (text, place) in enumerate(stretches)
    )


def read_document(path: Path) -> tuple[str, list[tuple[str | None, str]]]:
    """A document's title, if it has one, and its texts: each page's, or the whole.

    Raises:
        ValueError: it cannot be read.
    """
    data = read_bytes(path)
    match path.suffix.lower():
        case ".pdf":
            pages = enumerate(read_pdf(data), start=1)
            return "", [(f"page {number}", text) for number, text in pages]
        case ".html" | ".htm" | ".xhtml":
            title, text = read_html(data)
            return title, [(None, text)]
        case ".md" | ".markdown":
            text = read_text(data)
            return heading(text), [(None, text)]
    return "", [(None, read_text(data))]
