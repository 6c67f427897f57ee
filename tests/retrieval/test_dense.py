"""Dense search: every cosine by hand, whatever the blocks and however many queries."""

import numpy as np
import pytest

from afina.errors import ModelError
from afina.retrieval import dense
from afina.retrieval.dense import nearest, unit_vectors
from afina.retrieval.embedding import Embedding, Vectors
from afina.retrieval.index import Index, make_index
from afina.retrieval.update import update_index
from tests.retrieval.texts import WORDS, document, source, vectors


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    made = make_index(tmp_path_factory.mktemp("index") / "i", embedding=WORDS)
    update_index(made, source(*(document(f"d{at}", f"w{at} w{at + 1}") for at in range(50))))
    return made


def cosines(query: str) -> dict[str, float]:
    texts = {f"d{at}#0": f"w{at} w{at + 1}" for at in range(50)}
    rows, (wanted,) = vectors(list(texts.values())), vectors([query])
    scores = rows @ wanted / np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted)
    return dict(zip(texts, scores.tolist(), strict=True))


@pytest.mark.parametrize("block", [1, 7, 8192])
@pytest.mark.parametrize("depth", [1, 10, 60])
def test_the_nearest_are_those_of_the_highest_cosine(
    index: Index, block: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "BLOCK", block)
    (found,) = nearest(index.table, unit_vectors(WORDS, ["w7 w9"]), depth)
    expected = cosines("w7 w9")
    best = sorted(expected, key=lambda each: -expected[each])[:depth]
    assert [each for each, _ in found] == best
    assert [score for _, score in found] == pytest.approx(
        [expected[each] for each in best], abs=1e-5
    )


def test_a_query_among_others_finds_what_it_finds_alone(index: Index) -> None:
    queries = [f"w{at} w{at + 3}" for at in range(20)]
    together = nearest(index.table, unit_vectors(WORDS, queries), 5)
    for query, ranking in zip(queries, together, strict=True):
        (alone,) = nearest(index.table, unit_vectors(WORDS, [query]), 5)
        assert [each for each, _ in alone] == [each for each, _ in ranking]


def test_vectors_have_length_one_and_nothing_stays_nothing() -> None:
    found = unit_vectors(WORDS, ["w1 w2", ""])
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0])


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, 3)), np.zeros(2), np.full((2, 3), np.nan), np.full((2, 3), np.inf)],
)
def test_vectors_that_are_none_are_refused(wrong: Vectors) -> None:
    with pytest.raises(ModelError, match="expected 2 finite vectors of bad, one a text"):
        unit_vectors(Embedding("bad", "0", lambda texts: wrong), ["a", "b"])
