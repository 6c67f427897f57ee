"""Lexical search: BM25 by hand, and words of any language."""

import math
import random
from pathlib import Path

import pytest

from afina.errors import InputError
from afina.retrieval.index import Index, make_index
from afina.retrieval.lexical import LANGUAGES
from afina.retrieval.update import update_index
from tests.retrieval.texts import document, source


def made(folder: Path, texts: dict[str, str], language: str = "any") -> Index:
    index = make_index(folder / "i", embedding=None, language=language)
    update_index(index, source(*(document(name, text) for name, text in texts.items())))
    return index


def found(index: Index, query: str, k: int = 10) -> list[str]:
    return [each.id.removesuffix("#0") for each in index.search(query, k)]


def bm25(texts: dict[str, str], query: str, k1: float = 1.2, b: float = 0.75) -> dict[str, float]:
    rows = {name: text.split() for name, text in texts.items()}
    mean = sum(map(len, rows.values())) / len(rows)
    total = dict.fromkeys(rows, 0.0)
    for word in query.split():
        n = sum(word in row for row in rows.values())
        idf = math.log(1 + (len(rows) - n + 0.5) / (n + 0.5))
        for name, row in rows.items():
            f = row.count(word)
            total[name] += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * len(row) / mean))
    return {f"{name}#0": score for name, score in total.items() if score}


def test_scores_are_those_of_the_formula(tmp_path: Path) -> None:
    chance = random.Random(0)
    words = [f"w{number}" for number in range(30)]
    texts = {
        f"d{number}": " ".join(chance.choices(words, k=chance.randint(1, 40)))
        for number in range(100)
    }
    index = made(tmp_path, texts)
    for query in ("w0", "w1 w2 w3", "w4 w4 w5"):
        (ranking,) = index.rank([query], 100)
        assert dict(ranking) == pytest.approx(bm25(texts, query), rel=1e-5)


def test_case_and_accents_do_not_matter(tmp_path: Path) -> None:
    index = made(tmp_path, {"a": "CORAÇÃO de pão", "b": "outra coisa"})
    assert found(index, "coracao") == found(index, "Coração") == found(index, "PÃO") == ["a"]


def test_words_are_stemmed_by_the_language(tmp_path: Path) -> None:
    texts = {"a": "os meninos", "b": "a partida"}
    index = made(tmp_path, texts, "portuguese")
    assert found(index, "menino") == ["a"]
    assert found(index, "os") == []
    plain = made(tmp_path / "plain", texts, "any")
    assert found(plain, "menino") == []
    assert found(plain, "os") == ["a"]


@pytest.mark.parametrize(
    "query", ["", "  ", "???", 'c("', "a OR (b", "title:x", "+x -y", "x*", "a\0b", "'; DROP TABLE"]
)
def test_no_query_is_a_command(tmp_path: Path, query: str) -> None:
    index = made(tmp_path, {"a": "word"})
    assert found(index, query) == []
    assert found(index, f"{query} word") == ["a"]


def test_a_query_of_ten_thousand_words_is_answered(tmp_path: Path) -> None:
    index = made(tmp_path, {"a": "word", "b": "other"})
    assert found(index, "word " * 10_000) == ["a"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_known_to_the_store(tmp_path: Path, language: str) -> None:
    assert found(made(tmp_path, {"a": "xyzzy"}, language.upper()), "xyzzy") == ["a"]


def test_a_language_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"any, arabic, .*turkish, got 'klingon'"):
        make_index(tmp_path / "i", embedding=None, language="klingon")
    assert not (tmp_path / "i").exists()
