"""What is kept of an index: it comes back the same, or not at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import ArtefactError, InputError, MismatchError
from afina.retrieval.embedding import Embedding
from afina.retrieval.index import Index, make_index
from afina.retrieval.kept import Kept, content_digest, index_folder, kept_retriever, pinned_index
from afina.retrieval.update import remove_documents, update_index
from tests.retrieval.texts import WORDS, document, source

DOCUMENTS = [document("bread", "flour water salt"), document("sea", "salt waves")]


def made(folder: Path, *, vectors: bool = True) -> Index:
    index = make_index(folder, embedding=WORDS if vectors else None)
    update_index(index, source(*DOCUMENTS))
    return index


def words(name: str) -> Embedding:
    assert name == "words"
    return WORDS


def facts(index: Index, mode: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(vars(Kept.of(index, mode))))
    return found


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_an_index_is_searched_again_as_it_was(tmp_path: Path, mode: str) -> None:
    index = made(tmp_path / "i")
    again = kept_retriever(facts(index, mode), words)
    assert again("salt waves", 2) == index.search("salt waves", 2, mode=mode)


def test_the_digest_is_of_what_the_index_holds_in_any_order(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), make_index(tmp_path / "other", embedding=None)
    for each in reversed(DOCUMENTS):
        update_index(other, source(each, origin=f"/{each.name}"))
    assert content_digest(one) == content_digest(other)
    update_index(one, source(document("bread", "flour"), DOCUMENTS[1]))
    changed = content_digest(one)
    assert changed != content_digest(other)
    update_index(one, source(*DOCUMENTS))
    assert content_digest(one) == content_digest(other)
    remove_documents(one, ["sea"])
    assert content_digest(one) not in (changed, content_digest(other))


def test_an_index_that_holds_other_passages_is_refused(tmp_path: Path) -> None:
    index = made(tmp_path / "i")
    kept, pinned = facts(index, "lexical"), pinned_index(str(index.folder))
    assert pinned_index(pinned) == pinned
    update_index(index, source(*DOCUMENTS, document("sky", "clouds")))
    with pytest.raises(MismatchError, match="holds other passages"):
        kept_retriever(kept, words)
    with pytest.raises(MismatchError, match="bring it back to what it was with afina index"):
        pinned_index(pinned)
    assert pinned_index(str(index.folder)) != pinned
    update_index(index, source(*DOCUMENTS))
    assert pinned_index(pinned) == pinned
    assert kept_retriever(kept, words)("salt", 1)


def test_vectors_of_another_model_are_refused(tmp_path: Path) -> None:
    index = made(tmp_path / "i")
    kept = facts(index, "hybrid")
    with pytest.raises(MismatchError, match="was made with words"):
        kept_retriever(kept, lambda name: replace(WORDS, digest="cd" * 32))
    with pytest.raises(MismatchError, match="vectors of another model"):
        kept_retriever({**kept, "model_digest": "cd" * 32}, words)


def test_an_index_that_is_gone_is_refused(tmp_path: Path) -> None:
    kept = facts(made(tmp_path / "i", vectors=False), "lexical")
    (tmp_path / "i").rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"no index in .* afina index SOURCE"):
        kept_retriever(kept, words)
    with pytest.raises(InputError, match="no index in"):
        pinned_index(str(tmp_path / "i"))


@pytest.mark.parametrize("name", ["folder", "mode", "model", "model_digest", "content"])
def test_what_was_kept_must_be_whole(tmp_path: Path, name: str) -> None:
    kept = facts(made(tmp_path / "i", vectors=False), "lexical")
    for broken in ({**kept, name: 3}, {key: kept[key] for key in kept if key != name}):
        with pytest.raises(ArtefactError, match="expected a bundle with an index"):
            kept_retriever(broken, words)


def test_an_index_must_be_named() -> None:
    with pytest.raises(InputError, match="expected index=FOLDER, got none; make an index with"):
        pinned_index("")
    assert index_folder("a@b") == Path("a@b")
    assert index_folder("a@" + "0" * 12) == Path("a")
