"""The example documents that ship with Afina: questions of guests, whose answers stand in pages."""

import json
from pathlib import Path

import pytest

from afina.retrieval.index import Index
from afina.retrieval.indexing import Wish, index_source
from afina.retrieval.retriever import retrieve_all
from afina.task.check import inspect_task
from afina.task.task import load_task

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PAGES = EXAMPLES / "hotel_handbook"
QUESTIONS = EXAMPLES / "handbook_questions"


def rows() -> list[dict[str, str]]:
    text = (QUESTIONS / "questions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("handbook") / "index"
    return index_source(
        PAGES, folder, Wish(model=""), lambda name: pytest.fail(name), usual=""
    ).index


def test_every_answer_stands_in_the_page_that_its_question_names() -> None:
    for row in rows():
        page = " ".join((PAGES / row["page"]).read_text(encoding="utf-8").split())
        assert row["answer"] in page, row


def test_every_page_is_asked_about() -> None:
    assert {row["page"] for row in rows()} == {path.name for path in PAGES.iterdir()}


def test_the_task_is_sound() -> None:
    assert not inspect_task(str(QUESTIONS)).leaks
    task = load_task(QUESTIONS)
    assert (len(task.train), len(task.dev), len(task.test)) == (20, 20, 10)


def test_words_alone_find_most_pages(index: Index) -> None:
    asked = [row["question"] for row in rows()]
    found = retrieve_all(index.retriever("lexical"), asked, 3)
    hits = [
        row["page"] in [passage.id.partition("#")[0] for passage in passages]
        for row, passages in zip(rows(), found, strict=True)
    ]
    assert sum(hits) >= 46, [
        row["question"] for row, hit in zip(rows(), hits, strict=True) if not hit
    ]
