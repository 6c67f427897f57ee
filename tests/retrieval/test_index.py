"""An index: searching it in each mode, opening it, and what is refused."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import ArtefactError, InputError, MismatchError
from afina.retrieval.embedding import Embedding
from afina.retrieval.index import Index, make_index, open_index
from afina.retrieval.passage import Passage
from afina.retrieval.ranking import by_reciprocal_rank, by_score
from afina.retrieval.retriever import Together, retrieve_all
from afina.retrieval.update import update_index
from tests.retrieval.texts import WORDS, document, source, vectors

TEXTS = {
    "bread": "flour water salt yeast",
    "sea": "salt water waves",
    "sky": "clouds wind",
    "wind": "mills turn in the wind",
}
DOCUMENTS = [document(name, text, title=name.title()) for name, text in TEXTS.items()]


def made(folder: Path, embedding: Embedding | None = WORDS) -> Index:
    index = make_index(folder, embedding=embedding)
    update_index(index, source(*DOCUMENTS))
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return made(tmp_path_factory.mktemp("index") / "i")


def test_a_passage_comes_back_as_it_went_in(index: Index) -> None:
    (found,) = index.search("yeast", 1, mode="lexical")
    assert replace(found, score=0.0) == Passage("bread#0", TEXTS["bread"], "Bread", "bread")


def test_titles_are_searched_too(index: Index) -> None:
    assert [each.id for each in index.search("sea", 1, mode="lexical")] == ["sea#0"]


def test_a_text_finds_itself_by_its_vector(index: Index) -> None:
    (found,) = index.search("Sky\nclouds wind", 1, mode="dense")
    assert found.id == "sky#0"
    assert found.score == pytest.approx(1.0, abs=1e-5)


def test_hybrid_fuses_the_two_rankings(index: Index) -> None:
    query = "salt wind"
    (worded,), (near,) = (index.rank([query], 100, mode=mode) for mode in ("lexical", "dense"))
    (both,) = index.rank([query], 100)
    assert both == by_score(worded, near)
    (ranks,) = replace(index, fuse=by_reciprocal_rank).rank([query], 100)
    assert ranks == by_reciprocal_rank(worded, near)


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_many_queries_find_what_each_finds_alone(index: Index, mode: str) -> None:
    queries = ["salt", "wind mills", "flour waves", ""]
    for query, ranking in zip(queries, index.rank(queries, 3, mode=mode), strict=True):
        alone = index.search(query, 3, mode=mode)
        assert [each.id for each in alone] == [each for each, _ in ranking]
        assert [each.score for each in alone] == pytest.approx(
            [score for _, score in ranking], abs=1e-6
        )
    assert index.rank([], 3, mode=mode) == []


def test_fewer_are_found_where_there_are_fewer(index: Index) -> None:
    assert len(index.search("salt", 50, mode="lexical")) == 2
    assert len(index.search("salt", 50, mode="dense")) == 4
    assert len(index.search("salt", 50)) == 4


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    empty = make_index(tmp_path / "i", embedding=WORDS)
    for mode in empty.modes:
        assert empty.search("salt", mode=mode) == []


def test_an_index_is_a_retriever(index: Index) -> None:
    assert index.retriever("lexical")("salt", 2) == index.search("salt", 2, mode="lexical")


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_many_queries_at_once_find_what_each_finds_alone(index: Index, mode: str) -> None:
    queries = ["salt", "wind", "nothing of it", "salt"]
    retriever = index.retriever(mode)
    assert isinstance(retriever, Together)
    for query, found in zip(queries, retrieve_all(retriever, queries, 2), strict=True):
        alone = retriever(query, 2)
        assert [replace(each, score=0.0) for each in found] == [
            replace(each, score=0.0) for each in alone
        ]
        scores = [each.score for each in found]
        assert scores == pytest.approx([each.score for each in alone], abs=1e-6)


def test_an_opened_index_finds_what_the_made_one_does(index: Index) -> None:
    opened = open_index(index.folder).with_embedding(WORDS)
    assert opened.making == index.making
    assert opened.search("salt wind") == index.search("salt wind")


def test_any_characters_may_stand_in_an_id(tmp_path: Path) -> None:
    names = ["it's", 'a "b"', "x' OR '1'='1", "é#%", "a,b"]
    index = make_index(tmp_path / "i", embedding=None)
    update_index(index, source(*(document(name, f"word{at}") for at, name in enumerate(names))))
    for at, name in enumerate(names):
        assert [each.id for each in index.search(f"word{at}")] == [f"{name}#0"]


def test_another_model_is_refused(index: Index) -> None:
    opened = open_index(index.folder)
    with pytest.raises(MismatchError, match=r"made with words \(abababababab…\), not words \(cd"):
        opened.with_embedding(Embedding("words", "cd" * 32, vectors))
    with pytest.raises(MismatchError, match="not no model"):
        opened.with_embedding(None)


def test_an_index_without_vectors_says_so(tmp_path: Path) -> None:
    index = made(tmp_path / "i", None)
    assert index.modes == ("lexical",)
    assert [each.id for each in index.search("yeast")] == ["bread#0"]
    with pytest.raises(InputError, match=r"no vectors to search by dense.*afina index SOURCE"):
        index.search("salt", mode="dense")
    with pytest.raises(MismatchError, match="made with no model"):
        open_index(index.folder).with_embedding(WORDS)


def test_vectors_of_queries_need_the_model(index: Index) -> None:
    with pytest.raises(InputError, match="expected the model 'words' for vectors of queries"):
        open_index(index.folder).search("salt")


@pytest.mark.parametrize("k", [0, -3])
def test_a_number_below_one_is_refused(index: Index, k: int) -> None:
    with pytest.raises(InputError, match=f"expected 1 passage or more, got -k {k}"):
        index.search("salt", k)


def test_a_mode_that_there_is_not_is_refused(index: Index) -> None:
    with pytest.raises(InputError, match="expected mode lexical, dense or hybrid, got 'sparse'"):
        index.search("salt", mode="sparse")


@pytest.mark.parametrize("name", ["none", "a\0b", "n" * 400, "file/i"])
def test_an_index_that_is_not_there_is_refused_with_the_command(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"no index in .* make one with: afina index SOURCE"):
        open_index(tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["a\0b", "n" * 400, "file", "file/i"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError):
        make_index(tmp_path / name, embedding=None)


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match=r"new or empty folder for the index, .* 'thesis.txt'"):
        make_index(tmp_path, embedding=None)
    with pytest.raises(InputError, match="an index"):
        make_index(made(tmp_path / "i").folder, embedding=None)


def outcome(folder: Path) -> list[list[str]] | str:
    """What an index finds in each mode, or how it is refused."""
    try:
        opened = open_index(folder).with_embedding(WORDS)
        return [
            [each.id for each in opened.search("salt wind", mode=mode)] for mode in opened.modes
        ]
    except (ArtefactError, InputError) as error:
        return str(error)


def test_damage_is_told_or_does_no_harm(tmp_path: Path) -> None:
    folder = made(tmp_path / "i").folder
    whole = outcome(folder)
    chance = random.Random(0)
    found = []
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        data = path.read_bytes()
        for damaged in (data[: len(data) // 2], chance.randbytes(len(data))):
            path.write_bytes(damaged)
            found.append(outcome(folder))
        path.write_bytes(data)
    refusals = [each for each in found if each != whole]
    assert len(refusals) > 5
    assert all(f"{folder} is damaged" in each for each in refusals)


def test_what_was_not_made_by_us_is_refused(tmp_path: Path) -> None:
    import lancedb

    lancedb.connect(tmp_path / "i").create_table("passages", [{"id": "a"}])
    with pytest.raises(ArtefactError, match="was not made by this version of Afina"):
        open_index(tmp_path / "i")
