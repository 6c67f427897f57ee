"""What is read of a source: its documents, their passages, and where each stands."""

from pathlib import Path

import pytest

from afina.errors import DataError, InputError
from afina.retrieval.cut import Cutting
from afina.retrieval.source import Source, read_source
from tests.retrieval.texts import pdf

SHORT = Cutting(4, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "docs"
    (found / "inner").mkdir(parents=True)
    (found / "a.txt").write_text("One two three. Four five six.")
    (found / "b.md").write_text("# Bread\n\nFlour.")
    (found / "inner" / "c.html").write_text("<title>Sea</title><p>Salt.</p>")
    (found / "d.pdf").write_bytes(pdf("Page one.", "Page two."))
    return found


def test_each_passage_says_where_it_stands(folder: Path) -> None:
    found = read_source(folder, SHORT)
    passages = {each.id: each for document in found.documents for each in document.passages()}
    assert [(each.id, each.title, each.text, each.source) for each in passages.values()] == [
        ("a.txt#0", "a", "One two three.", "a.txt, characters 0-14"),
        ("a.txt#1", "a", "Four five six.", "a.txt, characters 15-29"),
        ("b.md#0", "Bread", "# Bread\n\nFlour.", "b.md, characters 0-15"),
        ("d.pdf#0", "d", "Page one.", "d.pdf, page 1"),
        ("d.pdf#1", "d", "Page two.", "d.pdf, page 2"),
        ("inner/c.html#0", "Sea", "Salt.", "inner/c.html, characters 0-5"),
    ]
    text = (folder / "a.txt").read_text()
    assert text[15:29] == passages["a.txt#1"].text


def test_one_document_is_a_source_too(folder: Path) -> None:
    (found,) = read_source(folder / "b.md", SHORT).documents
    assert found.name == "b.md"


def test_a_digest_is_that_of_the_bytes_and_of_the_cutting(folder: Path) -> None:
    def digests(found: Source) -> dict[str, str]:
        return {each.name: each.digest for each in found.documents}

    before = digests(read_source(folder, SHORT))
    (folder / "a.txt").write_text("One two three. Four five SIX.")
    after = digests(read_source(folder, SHORT))
    assert {name for name in before if before[name] != after[name]} == {"a.txt"}
    assert not set(digests(read_source(folder, Cutting(5, 0))).values()) & set(after.values())


def test_a_document_that_cannot_be_read_says_why(folder: Path) -> None:
    (folder / "a.txt").write_text(" \n")
    (document, *_) = read_source(folder, SHORT).documents
    with pytest.raises(ValueError, match="came no word"):
        document.passages()


def test_names_that_mislead_refuse_the_folder(folder: Path) -> None:
    (folder / "%2e.txt").write_text("x")
    with pytest.raises(DataError, match=r"cannot take the file '%2e.txt': it is percent-encoded"):
        read_source(folder, SHORT)


@pytest.mark.parametrize("name", ["nothing", "picture.png", "x\0y", "x\ny", "n" * 300])
def test_a_source_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")
    with pytest.raises(InputError, match="expected a"):
        read_source(tmp_path / name, SHORT)
