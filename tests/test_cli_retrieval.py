"""`afina index` and `afina search` as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.folders import Called, afina, lines, model_folder, refused
from tests.retrieval.texts import pdf

PASSAGES = [
    {"_id": "a#0", "title": "Bread", "text": "flour water salt"},
    {"_id": "b#0", "title": "Sea", "text": "salt water waves"},
    {"_id": "c#0", "title": "Sky", "text": "clouds and wind"},
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with ready passages and documents."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.jsonl").write_text(lines(PASSAGES))
    (tmp_path / "docs" / "inner").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("# Bread\n\nFlour and water.")
    (tmp_path / "docs" / "inner" / "b.pdf").write_bytes(pdf("The salt sea."))
    return tmp_path


def made(*more: str, source: str = "p.jsonl") -> Any:
    return afina("index", source, "--into", "i", *more, "--json").json


def rows(called: Called) -> list[Any]:
    assert (called.code, called.err) == (0, "")
    return [json.loads(line) for line in called.out.splitlines()]


def test_an_index_is_made_and_brought_up_to_date(here: Path) -> None:
    assert made("--lexical-only") == {
        **{"index": "i", "passages": 3, "added": 3, "changed": 0, "unchanged": 0, "removed": 0},
        **{"skipped": [], "model": "", "language": "english"},
    }
    (here / "p.jsonl").write_text(lines([PASSAGES[0], {**PASSAGES[1], "text": "kelp"}]))
    found = made("--lexical-only")
    assert (found["added"], found["changed"], found["unchanged"], found["removed"]) == (0, 1, 1, 1)
    assert [each["id"] for each in rows(afina("search", "i", "kelp salt wind", "--json"))] == [
        *("b#0", "a#0")
    ]


def test_a_line_a_passage_is_printed(here: Path) -> None:
    made("--lexical-only")
    first, second = rows(afina("search", "i", "salt waves", "-k", "5", "--json"))
    assert list(first) == ["id", "title", "score", "text", "source"]
    assert {**first, "score": 0} == {
        **{"id": "b#0", "title": "Sea", "score": 0},
        **{"text": "salt water waves", "source": "p.jsonl"},
    }
    assert second["id"] == "a#0"
    assert first["score"] > second["score"] > 0


def test_a_folder_of_documents_is_searched_in_every_mode(here: Path) -> None:
    found = made("--model", model_folder(), source="docs")
    assert (found["passages"], found["model"]) == (2, model_folder())
    for mode in ("lexical", "dense", "hybrid"):
        first, *_ = rows(afina("search", "i", "the salt sea", "--mode", mode, "--json"))
        assert (first["id"], first["source"]) == ("inner/b.pdf#0", "inner/b.pdf, page 1"), mode
    assert rows(afina("search", "i", "the salt sea", "--json"))[0]["score"] == 1.0  # hybrid


def test_many_queries_are_a_line_each(here: Path) -> None:
    made("--model", model_folder())
    queries = [{"_id": "q1", "text": "waves"}, {"_id": "q2", "text": "clouds"}]
    (here / "q.jsonl").write_text(lines(queries))
    for mode in ("lexical", "dense", "hybrid"):
        found = rows(afina("search", "i", "--queries", "q.jsonl", "-k", "2", "--mode", mode))
        assert [each["_id"] for each in found] == ["q1", "q2"]
        for query, each in zip(queries, found, strict=True):
            alone = rows(afina("search", "i", query["text"], "-k", "2", "--mode", mode, "--json"))
            assert each == {"_id": query["_id"], "passages": [one["id"] for one in alone]}


def test_a_person_sees_title_source_and_text(here: Path) -> None:
    assert afina("index", "docs", "--into", "i", "--lexical-only").out.splitlines() == [
        "documents: 2 added, 0 changed, 0 unchanged, 0 removed",
        "i holds 2 passages, found by words alone",
    ]
    called = afina("search", "i", "flour")
    assert called.code == 0
    assert "Bread  a.md, characters 0-25" in called.out
    assert "Flour and water." in called.out
    assert afina("search", "i", "zebra").out == "no passage was found\n"


def test_files_that_are_left_alone_are_named(here: Path) -> None:
    (here / "docs" / "photo.png").write_bytes(b"x")
    assert (
        "of other kinds: photo.png" in afina("index", "docs", "--into", "i", "--lexical-only").out
    )
    assert made(source="docs")["skipped"] == ["photo.png"]


def test_a_source_is_removed_even_where_it_is_gone(here: Path) -> None:
    made("--lexical-only")
    made(source="docs")
    (here / "p.jsonl").unlink()
    assert made("--remove") == {
        **{"index": "i", "passages": 2, "added": 0, "changed": 0, "unchanged": 0, "removed": 3},
        **{"skipped": [], "model": "", "language": "english"},
    }
    refused(afina("index", "p.jsonl", "--into", "i", "--remove"), 2, "has no document of", "/docs")


def test_an_index_keeps_its_model_and_language(here: Path) -> None:
    made("--model", model_folder(), "--language", "portuguese")
    assert (made()["model"], made()["language"]) == (model_folder(), "portuguese")
    other = ("--model", model_folder("bert", 1))
    refused(afina("index", "p.jsonl", "--into", "i", *other), 1, "was made with", "not")
    none = afina("index", "p.jsonl", "--into", "i", "--lexical-only")
    refused(none, 1, "not no model (lexical only)")
    english = afina("index", "p.jsonl", "--into", "i", "--language", "english")
    refused(english, 1, "is of language portuguese, not english")


def test_a_model_whose_weights_changed_is_refused(
    here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("model")
    for seed in (0, 1):
        for path in Path(model_folder("bert", seed)).iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        if seed == 0:
            made("--model", str(folder))
    refused(afina("search", "i", "salt"), 1, "was made with", str(folder))
    assert rows(afina("search", "i", "salt", "--mode", "lexical", "--json"))


def test_what_cannot_be_searched_is_refused_with_what_to_do(here: Path) -> None:
    refused(afina("search", "none", "x"), 2, "no index in 'none'", "afina index SOURCE --into none")
    made("--lexical-only")
    refused(afina("search", "i", "x", "--mode", "dense"), 2, "no vectors", "--mode lexical")
    refused(
        afina("search", "i", "x", "--mode", "magic"), 2, "lexical, dense or hybrid, got 'magic'"
    )
    refused(afina("search", "i", "x", "-k", "0"), 2, "1 passage or more")
    refused(afina("search", "i"), 2, "a query or --queries FILE")
    refused(afina("search", "i", "x", "--queries", "p.jsonl"), 2, "a query or --queries FILE")
    refused(afina("search", "i", "--queries", "q.jsonl"), 2, "cannot read q.jsonl")
    (here / "q.jsonl").write_text('{"_id": 1}\n')
    refused(afina("search", "i", "--queries", "q.jsonl"), 2, "q.jsonl:1: expected 'text'")


def test_a_source_that_is_refused_leaves_no_index_behind(here: Path) -> None:
    (here / "docs" / "scan.pdf").write_bytes(pdf(""))
    called = afina("index", "docs", "--into", "i")
    refused(called, 2, "docs/scan.pdf:1: the PDF has no text", "ocrmypdf")
    refused(afina("index", "nothing", "--into", "i"), 2, "expected a folder", "'nothing'")
    refused(afina("index", "p.jsonl", "--into", "i", "--model", "./no"), 2, "no model at './no'")
    refused(afina("index", "p.jsonl", "--into", "i", "--language", "x"), 2, "expected a language")
    both = afina("index", "p.jsonl", "--into", "i", "--lexical-only", "--model", "m")
    refused(both, 2, "--lexical-only or --model, got both")
    refused(afina("index", "docs", "--into", "i", "--words", "9"), 2, "of which 40 are repeated")
    assert not (here / "i").exists()


def test_a_folder_of_other_things_is_not_written_to(here: Path) -> None:
    refused(afina("index", "p.jsonl", "--into", "docs", "--lexical-only"), 2, "new or empty folder")
    assert {each.name for each in (here / "docs").iterdir()} == {"a.md", "inner"}


LEXICAL = """
import sys
from typer.testing import CliRunner
from afina.cli import app
for line in ("index p.jsonl --into i --lexical-only", "search i salt"):
    assert CliRunner().invoke(app, line.split()).exit_code == 0
print([name for name in sys.modules if name.split(".")[0] == "torch"])
"""


def test_lexical_search_loads_no_torch(here: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LEXICAL]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout == "[]\n", found.stderr
