"""Updates: only what changed is written, and what comes out is as if made at once."""

import resource
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from afina.disk import lock_folder
from afina.errors import BusyError, DataError, InputError, ModelError, SpaceError
from afina.retrieval import update as module
from afina.retrieval.document import Document
from afina.retrieval.embedding import Embedding, Vectors
from afina.retrieval.index import Index, make_index, open_index
from afina.retrieval.passage import Passage
from afina.retrieval.update import Changes, remove_documents, remove_source, update_index
from tests.retrieval.texts import WORDS, document, source, vectors

QUERIES = ["salt", "salt water", "wind mills", "new words", "clouds"]
BEFORE = [
    document("bread", "flour water salt", "yeast and time"),
    document("sea", "salt water waves"),
    document("sky", "clouds wind"),
]
AFTER = [
    document("bread", "flour water salt", "yeast and new words", "a third passage of salt"),
    document("sky", "clouds wind"),
    document("mills", "mills turn in the wind"),
]


class Counting:
    """An embedding that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return vectors(texts)


def made(folder: Path, *documents: Document, embedding: Embedding | None = WORDS) -> Index:
    index = make_index(folder, embedding=embedding)
    update_index(index, source(*documents))
    return index


def answers(index: Index) -> list[list[tuple[str, float]]]:
    return [
        [(each, round(score, 5)) for each, score in ranking]
        for mode in index.modes
        for ranking in index.rank(QUERIES, 10, mode=mode)
    ]


@pytest.mark.parametrize(("before", "after", "count"), [(BEFORE, AFTER, 5), (AFTER, BEFORE, 4)])
def test_an_updated_index_answers_as_one_made_at_once(
    tmp_path: Path, before: list[Document], after: list[Document], count: int
) -> None:
    index = made(tmp_path / "a", *before)
    assert update_index(index, source(*after)) == Changes(1, 1, 1, 1)
    fresh = made(tmp_path / "b", *after)
    assert index.count() == fresh.count() == count
    assert answers(index) == answers(fresh)
    assert answers(open_index(index.folder).with_embedding(WORDS)) == answers(fresh)


def test_documents_in_groups_of_any_size_make_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(made(tmp_path / "a", *AFTER))
    monkeypatch.setattr(module, "GROUP", 1)
    index = made(tmp_path / "b", *BEFORE)
    update_index(index, source(*AFTER))
    assert answers(index) == expected


def test_only_what_changed_is_embedded(tmp_path: Path) -> None:
    counting = Counting()
    index = made(tmp_path / "i", *BEFORE, embedding=Embedding("words", "ab", counting.embed))
    counting.asked.clear()
    update_index(index, source(*BEFORE))
    assert counting.asked == []
    update_index(index, source(*AFTER))
    assert sorted(counting.asked) == sorted(
        each.text for name in (0, 2) for each in AFTER[name].passages()
    )


def test_nothing_changed_writes_nothing(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    version = index.table.version
    assert update_index(index, source(*BEFORE)) == Changes(unchanged=3)
    assert open_index(index.folder).table.version == version


def test_documents_of_another_source_stay(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    other = source(document("letters", "dear sir"), origin="/letters")
    assert update_index(index, other) == Changes(added=1)
    assert index.count() == 5
    assert update_index(index, source(origin="/letters")) == Changes(removed=1)
    assert answers(index) == answers(made(tmp_path / "b", *BEFORE))


def test_a_document_is_dropped_by_its_name(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    assert remove_documents(index, ["bread", "bread"]) == Changes(removed=1)
    assert answers(index) == answers(made(tmp_path / "b", *BEFORE[1:]))
    with pytest.raises(InputError, match="has no document 'bread'"):
        remove_documents(index, ["sea", "bread"])
    assert index.count() == 2


def test_a_source_is_dropped_whole(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    update_index(index, source(document("letters", "dear sir"), origin="/letters"))
    assert remove_source(index, "/docs") == Changes(removed=3)
    assert [each.id for each in index.search("sir", mode="dense")] == ["letters#0"]
    with pytest.raises(InputError, match="has no document of /docs; it has those of /letters"):
        remove_source(index, "/docs")


def test_two_sources_may_not_have_one_name(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    before = answers(index)
    with pytest.raises(DataError, match="sea:1: /docs has a 'sea' here too"):
        update_index(index, source(document("sea", "other"), origin="/letters"))
    clash = replace(document("new", "x"), passages=lambda: (Passage("sea#0", "x"),))
    with pytest.raises(DataError, match="new:1: 'sea' has a passage 'sea#0' here too"):
        update_index(index, source(clash, origin="/letters"))
    twins = [replace(clash, name=name, passages=lambda: (Passage("t", "x"),)) for name in "ab"]
    with pytest.raises(DataError, match="'a' has a passage 't' here too"):
        update_index(index, source(*twins, origin="/letters"))
    assert answers(index) == before


def test_a_passage_may_move_to_another_document_of_its_source(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    moved = replace(document("ocean", "x"), passages=lambda: (Passage("sea#0", "deep"),))
    with pytest.raises(DataError, match="'sea' has a passage 'sea#0'"):
        update_index(index, source(*BEFORE, moved))


def test_a_document_that_cannot_be_read_leaves_all_as_it_was(tmp_path: Path) -> None:
    def broken() -> tuple[Passage, ...]:
        raise ValueError("the PDF has no text")

    index = made(tmp_path / "i", *BEFORE)
    before = answers(index)
    bad = replace(document("scan.pdf", "x"), passages=broken, path=Path("/docs/scan.pdf"))
    with pytest.raises(DataError, match=r"^/docs/scan.pdf:1: the PDF has no text$"):
        update_index(index, source(*AFTER, bad))
    assert answers(index) == before


def test_a_model_that_fails_midway_leaves_whole_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(texts: Sequence[str]) -> Vectors:
        if any("mills" in text for text in texts):
            raise ModelError("no answer")
        return vectors(texts)

    monkeypatch.setattr(module, "GROUP", 1)
    index = made(tmp_path / "i", *BEFORE)
    with pytest.raises(ModelError, match="no answer"):
        update_index(replace(index, embedding=Embedding("w", "ab", failing)), source(*AFTER))
    assert index.count() == 5  # bread anew, sea still there, mills not
    assert {each.id for each in index.search("new words", 10, mode="lexical")} == {"bread#1"}
    update_index(index, source(*AFTER))
    assert answers(index) == answers(made(tmp_path / "b", *AFTER))


def test_what_a_stopped_writer_left_is_put_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = made(tmp_path / "i", *BEFORE)
    with monkeypatch.context() as patch:
        patch.setattr(module, "settle", lambda index: None)  # killed before it
        update_index(index, source(*AFTER))
    assert {each.id for each in index.search("mills", mode="lexical")} == {"mills#0"}
    assert update_index(index, source(*AFTER)) == Changes(unchanged=3)
    assert answers(index) == answers(made(tmp_path / "b", *AFTER))


def test_an_index_with_vectors_takes_no_passage_without_one(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    with pytest.raises(InputError, match="expected the model 'words' for new passages"):
        update_index(open_index(index.folder), source(*AFTER))


def test_only_one_writes_at_a_time(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    with lock_folder(index.folder):
        for write in (
            lambda: update_index(index, source(*AFTER)),
            lambda: remove_documents(index, ["sea"]),
            lambda: remove_source(index, "/docs"),
        ):
            with pytest.raises(BusyError, match="is in use"):
                write()
        assert index.search("yeast", 1)[0].id == "bread#1"


def test_progress_is_told_by_passages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP", 2)
    index = make_index(tmp_path / "i", embedding=None)
    told: list[tuple[int, int]] = []
    update_index(index, source(*BEFORE), show=lambda done, total: told.append((done, total)))
    assert told == [(2, 4), (4, 4)]


def test_a_full_disk_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    index = made(tmp_path / "i", *BEFORE)
    before = answers(index)
    big = document("big", *(f"word{at} " * 50 for at in range(400)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(SpaceError, match=r"no space to write the index .*/i; what was kept"):
            update_index(index, source(*BEFORE, big))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert answers(index) == before
    assert update_index(index, source(*BEFORE, big)) == Changes(added=1, unchanged=3)
