"""Lexical search: BM25 by the store's own full-text index.

A passage scores the sum of ``idf · f (k1 + 1) / (f + k1 (1 - b + b · l))`` over a query's words,
where ``f`` is how often it has the word, ``l`` its length over the mean, ``k1 = 1.2``, ``b = 0.75``
and ``idf = ln(1 + (N - n + 0.5) / (n + 0.5))`` for a word that ``n`` of ``N`` passages have.
Source: Robertson and Zaragoza 2009, https://doi.org/10.1561/1500000019, with Lucene's idf.

Words are cut at what is no letter or digit, folded to lower case and plain letters, and stemmed by
language; the language's commonest words are left out.
"""

from typing import Any

from lancedb.index import FTS

from afina.errors import InputError
from afina.retrieval.ranking import Ranking, best_first

ANY = "Any"
LANGUAGES = (
    *(ANY, "Arabic", "Danish", "Dutch", "English", "Finnish", "French", "German", "Greek"),
    *("Hungarian", "Italian", "Norwegian", "Portuguese", "Romanian", "Russian", "Spanish"),
    *("Swedish", "Tamil", "Turkish"),
)
COLUMN = "content"


def language_named(name: str) -> str:
    """A language as it is written here; ``any`` neither stems nor leaves words out.

    Raises:
        InputError: there is none of that name.
    """
    if name.title() not in LANGUAGES:
        raise InputError(f"expected a language out of {', '.join(LANGUAGES).lower()}, got {name!r}")
    return name.title()


def words_of(language: str) -> FTS:
    """How the index cuts texts into words."""
    if language == ANY:
        return FTS(stem=False, remove_stop_words=False)
    return FTS(language=language)


def matching(table: Any, query: str, depth: int) -> Ranking:  # lancedb has no types
    """The best passages that share a word with a query; none if there are none."""
    search = table.search(query, query_type="fts", fts_columns=COLUMN)
    found = search.select(["id", "_score"]).limit(depth).to_arrow()
    return best_first(
        zip(found.column("id").to_pylist(), found.column("_score").to_pylist(), strict=True)
    )
