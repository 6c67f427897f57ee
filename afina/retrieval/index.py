"""An index: passages in a folder, found by words, by vectors, or by both.

The store is LanceDB, which runs in the process: one table, of which each write makes a new version,
whole at once. A search reads the newest version there is when it begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import lancedb
import pyarrow as pa
from lancedb.expr import col

from afina.disk import LOCK, lock_folder, write_fault
from afina.errors import ArtefactError, InputError, MismatchError
from afina.retrieval import dense, lexical
from afina.retrieval.dense import nearest, unit_vectors
from afina.retrieval.embedding import Embedding
from afina.retrieval.folder import TABLE
from afina.retrieval.index_faults import reading, writing
from afina.retrieval.lexical import language_named, matching, words_of
from afina.retrieval.passage import Passage
from afina.retrieval.ranking import Fuse, Ranking, by_score

FORMAT = "1"
DEPTH = 100  # passages of each ranking that are fused
TEXTS = ("id", "title", "text", "source", "document", "digest", "origin", lexical.COLUMN)
Mode = Literal["lexical", "dense", "hybrid"]


@dataclass(frozen=True)
class Making:
    """What an index was made with; ``model`` is empty where it has no vectors."""

    language: str
    model: str = ""
    digest: str = ""
    width: int = 0  # of a vector


@dataclass(frozen=True)
class Index:
    """Passages in a folder; ``embedding`` makes vectors of queries, and of new passages."""

    folder: Path
    making: Making
    table: Any  # lancedb has no types
    embedding: Embedding | None = None
    fuse: Fuse = by_score

    @property
    def modes(self) -> tuple[Mode, ...]:
        """How it can be searched, the best way first."""
        return ("hybrid", "dense", "lexical") if self.making.model else ("lexical",)

    def with_embedding(self, embedding: Embedding | None) -> "Index":
        """The same index with the model of its vectors.

        Raises:
            MismatchError: the vectors are of another model, or there are none.
        """
        made = self.making.model, self.making.digest
        given = (embedding.name, embedding.digest) if embedding else ("", "")
        if made[1] != given[1]:
            raise MismatchError(
                f"the index {self.folder} was made with {told(*made)}, not {told(*given)}: use "
                "that, or make another index with: afina index SOURCE --into INDEX"
            )
        return replace(self, embedding=embedding)

    def retriever(self, mode: str | None = None) -> "IndexRetriever":
        """This index as a function from a query and a number to passages."""
        return IndexRetriever(self, mode)

    def search(self, query: str, k: int = 5, *, mode: str | None = None) -> list[Passage]:
        """The k best passages for a query, in the best mode there is if none is named.

        Raises:
            InputError: k is below 1, or the index cannot be searched in this mode.
            ArtefactError: the index is damaged.
        """
        (found,) = self.search_all([query], k, mode=mode)
        return found

    def search_all(
        self, queries: Sequence[str], k: int = 5, *, mode: str | None = None
    ) -> list[list[Passage]]:
        """The k best passages for each of many queries, whose vectors are made together.

        Raises:
            InputError: k is below 1, or the index cannot be searched in this mode.
            ArtefactError: the index is damaged.
        """
        rankings = self.rank(queries, k, mode=mode)
        found = self.passages(list({each: None for ranking in rankings for each, _ in ranking}))
        return [
            [replace(found[each], score=score) for each, score in ranking if each in found]
            for ranking in rankings
        ]

    def rank(self, queries: Sequence[str], k: int = 5, *, mode: str | None = None) -> list[Ranking]:
        """The ids of the k best passages for each of many queries.

        Raises:
            InputError: k is below 1, or the index cannot be searched in this mode.
            ArtefactError: the index is damaged.
        """
        if k < 1:
            raise InputError(f"expected 1 passage or more, got -k {k}")
        chosen = self.chosen(mode)
        depth = max(k, DEPTH)
        with reading(self.folder):
            self.table.checkout_latest()
            worded = [] if chosen == "dense" else [self.worded(each, depth) for each in queries]
        if chosen == "lexical":
            return [ranking[:k] for ranking in worded]
        near = self.near(queries, depth)
        if chosen == "dense":
            return [ranking[:k] for ranking in near]
        return [self.fuse(*pair)[:k] for pair in zip(worded, near, strict=True)]

    def worded(self, query: str, depth: int) -> Ranking:
        """The ranking by words."""
        return matching(self.table, query, depth)

    def near(self, queries: Sequence[str], depth: int) -> list[Ranking]:
        """The rankings by vectors.

        Raises:
            InputError: no model was given for the queries.
        """
        if self.embedding is None:
            raise InputError(
                f"expected the model {self.making.model!r} for vectors of queries, got none; give "
                "it to the index by with_embedding, or search by mode lexical"
            )
        vectors = unit_vectors(self.embedding, list(queries))
        with reading(self.folder):
            return nearest(self.table, vectors, depth)

    def chosen(self, mode: str | None) -> Mode:
        """The mode to search in: the best there is if none is named.

        Raises:
            InputError: there is no such mode, or it needs vectors.
        """
        match self.modes[0] if mode is None else mode:
            case "lexical":
                return "lexical"
            case ("dense" | "hybrid") as found if self.making.model:
                return found
            case "dense" | "hybrid":
                raise InputError(
                    f"the index {self.folder} has no vectors to search by {mode}; search it with "
                    "--mode lexical, or make one with: afina index SOURCE --into INDEX"
                )
        raise InputError(f"expected mode lexical, dense or hybrid, got {mode!r}")

    def passages(self, ids: Sequence[str]) -> dict[str, Passage]:
        """Passages by id; one that is not there is left out.

        Raises:
            ArtefactError: the index is damaged.
        """
        with reading(self.folder):
            names = ["id", "text", "title", "source"]
            query = self.table.search().where(col("id").isin(list(ids))).select(names)
            rows = query.limit(len(ids)).to_list() if ids else []
        return {row["id"]: Passage(**{name: row[name] for name in names}) for row in rows}

    def count(self) -> int:
        """How many passages there are.

        Raises:
            ArtefactError: the index is damaged.
        """
        with reading(self.folder):
            self.table.checkout_latest()
            return int(self.table.count_rows())


@dataclass(frozen=True)
class IndexRetriever:
    """An index as a retriever, also of many queries at once."""

    index: Index
    mode: str | None

    def __call__(self, query: str, k: int) -> list[Passage]:
        """The k best passages for a query."""
        return self.index.search(query, k, mode=self.mode)

    def together(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        """The k best passages for each query."""
        return self.index.search_all(queries, k, mode=self.mode)


def make_index(folder: Path, *, embedding: Embedding | None, language: str = "English") -> Index:
    """An empty index in a folder that is new or empty.

    Raises:
        InputError: something is there, or there is no such language.
        ModelError: the model gives no vectors.
        SpaceError: the disk is full.
    """
    making = Making(language_named(language))
    if embedding is not None:
        width = unit_vectors(embedding, ["width"]).shape[1]
        making = replace(making, model=embedding.name, digest=embedding.digest, width=width)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise folder_fault(folder, error) from error
    check_free(folder)
    with lock_folder(folder), writing(folder):
        check_free(folder)
        database = lancedb.connect(folder)
        table = database.create_table(TABLE.removesuffix(".lance"), schema=schema_of(making))
        table.create_index(lexical.COLUMN, config=words_of(making.language))
    return Index(folder, making, table, embedding)


def check_free(folder: Path) -> None:
    """Refuse a folder that holds an index, or what is none of ours; raises InputError."""
    strange = [each.name for each in folder.iterdir() if each.name not in (TABLE, LOCK)]
    if strange or is_index(folder):
        raise InputError(
            f"expected a new or empty folder for the index, got {folder}, which holds "
            f"{repr(strange[0]) if strange else 'an index'}; name another"
        )


def open_index(folder: Path) -> Index:
    """The index in a folder, without a model: give it one by ``with_embedding``.

    Raises:
        InputError: there is none.
        ArtefactError: it is damaged, or of another version of Afina's.
    """
    if not is_index(folder):
        raise InputError(
            f"no index in {str(folder)!r}; make one with: afina index SOURCE --into {folder}"
        )
    with reading(folder):
        table = lancedb.connect(folder).open_table(TABLE.removesuffix(".lance"))
        facts = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
    return Index(folder, read_making(folder, facts), table)


def is_index(folder: Path) -> bool:
    """Whether a folder holds an index; a folder whose making was cut short holds none."""
    try:
        return any((folder / TABLE / "_versions").iterdir())
    except (OSError, ValueError):
        return False


def folder_fault(folder: Path, error: Exception) -> Exception:
    """Our error for a folder that cannot be made."""
    if isinstance(error, OSError):
        return write_fault(folder, error, 0)
    return InputError(f"expected the name of a folder, got {str(folder)!r}: {error}")


def schema_of(making: Making) -> pa.Schema:
    """The columns of a table, and what it was made with."""
    fields = [pa.field(name, pa.string()) for name in TEXTS]
    if making.model:
        fields.append(pa.field(dense.COLUMN, pa.list_(pa.float32(), making.width)))
    facts = {"format": FORMAT, **{name: str(value) for name, value in vars(making).items()}}
    return pa.schema(fields, metadata=facts)


def read_making(folder: Path, facts: dict[str, str]) -> Making:
    """What a table says it was made with; raises ArtefactError where it says nothing."""
    try:
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}")
        return Making(
            language_named(facts["language"]), facts["model"], facts["digest"], int(facts["width"])
        )
    except (KeyError, ValueError, InputError) as error:
        raise ArtefactError(
            f"the index {folder} was not made by this version of Afina ({error}); remove the "
            "folder and make it anew with: afina index SOURCE --into INDEX"
        ) from error


def told(model: str, digest: str) -> str:
    """A model with its digest, or that there is none."""
    return f"{model} ({digest[:12]}…)" if model else "no model (lexical only)"
