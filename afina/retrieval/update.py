"""Writes to an index: its documents become those of a source; what did not change is left alone.

One process writes at a time, any number may read. Documents go in by groups, each whole at once, so
one that is killed leaves every document as it was or as it is now, and the next run goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
from lancedb.expr import col
from lancedb.index import BTree

from afina.disk import lock_folder
from afina.errors import InputError
from afina.retrieval import lexical
from afina.retrieval.dense import unit_vectors
from afina.retrieval.document import Document
from afina.retrieval.index import TEXTS, Index
from afina.retrieval.index_faults import reading, writing
from afina.retrieval.lexical import words_of
from afina.retrieval.passage import Passage
from afina.retrieval.source import Source
from afina.task.rows import Rejection, refuse

Show = Callable[[int, int], None]
GROUP = 512  # passages that are written together, and a little more
KEPT = timedelta(hours=1)  # for which a version is there for those who read it
KEYS = ("document", "digest", "origin", "id")


@dataclass(frozen=True)
class Changes:
    """How many documents were written or dropped."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Read:
    """A document that is to be written, with its passages."""

    document: Document
    passages: tuple[Passage, ...]


def show_nothing(_done: int, _total: int) -> None:
    """Leave progress untold."""


def update_index(index: Index, source: Source, *, show: Show = show_nothing) -> Changes:
    """Make the documents that an index has of a source those that the source has now.

    ``show`` is told how many passages were written, of how many.

    Raises:
        DataError: documents cannot be read, or have the names of others; nothing was written.
        InputError: the index has vectors, and was given no model for new ones.
        BusyError: another process writes.
        SpaceError: the disk is full.
        ArtefactError: the index is damaged.
    """
    if index.making.model and index.embedding is None:
        raise InputError(f"expected the model {index.making.model!r} for new passages, got none")
    with lock_folder(index.folder):
        held = held_by(index)
        mine = {name: each for name, each in held.items() if each.origin == source.origin}
        fresh = [
            each
            for each in source.documents
            if each.name not in mine or mine[each.name].digest != each.digest
        ]
        reads = read_all(fresh, held, source.origin)
        names = {each.name for each in source.documents}
        gone = [name for name in mine if name not in names]
        with writing(index.folder):
            done, total = 0, count_of(reads)
            for group in groups(reads):
                write_group(index, group, source.origin, mine)
                done += count_of(group)
                show(done, total)
            drop(index.table, gone)
        if fresh or gone or unsettled(index):
            settle(index)
    known = sum(each.name in mine for each in fresh)
    return Changes(len(fresh) - known, known, len(source.documents) - len(fresh), len(gone))


def remove_documents(index: Index, names: Iterable[str]) -> Changes:
    """Drop documents by their names.

    Raises:
        InputError: the index has no such document; nothing is dropped.
        BusyError: another process writes.
    """
    wanted = list(dict.fromkeys(names))
    with lock_folder(index.folder):
        held = held_by(index)
        for name in wanted:
            if name not in held:
                raise InputError(f"the index {index.folder} has no document {name!r}")
        return dropped(index, wanted)


def remove_source(index: Index, origin: str) -> Changes:
    """Drop all documents of a source.

    Raises:
        InputError: the index has none of it.
        BusyError: another process writes.
    """
    with lock_folder(index.folder):
        held = held_by(index)
        wanted = [name for name, each in held.items() if each.origin == origin]
        if not wanted:
            origins = ", ".join(sorted({each.origin for each in held.values()})) or "nothing"
            raise InputError(
                f"the index {index.folder} has no document of {origin}; it has those of {origins}"
            )
        return dropped(index, wanted)


@dataclass(frozen=True)
class Held:
    """A document that an index has."""

    digest: str
    origin: str
    ids: list[str]


def held_by(index: Index) -> dict[str, Held]:
    """All documents of an index by name."""
    found: dict[str, Held] = {}
    with reading(index.folder):
        index.table.checkout_latest()
        for batch in index.table.search().select(list(KEYS)).to_batches():
            columns = [batch.column(name).to_pylist() for name in KEYS]
            for name, digest, origin, each in zip(*columns, strict=True):
                found.setdefault(name, Held(digest, origin, [])).ids.append(each)
    return found


def read_all(fresh: Sequence[Document], held: dict[str, Held], origin: str) -> list[Read]:
    """Read documents; raises DataError for those that cannot be, or whose names are taken."""
    names = {each.name for each in fresh}
    taken = {
        passage: name
        for name, each in held.items()
        if each.origin != origin or name not in names
        for passage in each.ids
    }
    found, refused = [], []
    for document in fresh:
        try:
            if document.name in held and held[document.name].origin != origin:
                raise ValueError(f"{held[document.name].origin} has a {document.name!r} here too")
            passages = document.passages()
            for each in passages:
                if taken.setdefault(each.id, document.name) != document.name:
                    raise ValueError(f"{taken[each.id]!r} has a passage {each.id!r} here too")
            found.append(Read(document, passages))
        except ValueError as error:
            refused.append(Rejection(document.path, document.line, str(error)))
    refuse(tuple(refused))
    return found


def groups(reads: Iterable[Read]) -> Iterator[list[Read]]:
    """Documents by groups of about GROUP passages."""
    group: list[Read] = []
    count = 0
    for each in reads:
        group.append(each)
        count += len(each.passages)
        if count >= GROUP:
            yield group
            group, count = [], 0
    if group:
        yield group


def count_of(reads: Iterable[Read]) -> int:
    """How many passages documents have."""
    return sum(len(read.passages) for read in reads)


def write_group(index: Index, group: list[Read], origin: str, mine: dict[str, Held]) -> None:
    """Put documents into the table, each in the place of what it was."""
    rows = table_of(index, group, origin)
    before = [read.document.name for read in group if read.document.name in mine]
    if not before:
        index.table.add(rows)
        return
    merge = index.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    merge.when_not_matched_by_source_delete(col("document").isin(before)).execute(rows)


def table_of(index: Index, group: list[Read], origin: str) -> pa.Table:
    """Documents as rows."""
    cells = [
        (
            *(passage.id, passage.title, passage.text, passage.source),
            *(read.document.name, read.document.digest, origin, content(passage)),
        )
        for read in group
        for passage in read.passages
    ]
    arrays: list[Any] = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
    assert len(arrays) == len(TEXTS)
    if index.embedding is not None:
        texts = [content(passage) for read in group for passage in read.passages]
        flat = pa.array(unit_vectors(index.embedding, texts).ravel())
        arrays.append(pa.FixedSizeListArray.from_arrays(flat, index.making.width))
    return pa.Table.from_arrays(arrays, schema=index.table.schema)


def content(passage: Passage) -> str:
    """What is searched: the title and the text."""
    return f"{passage.title}\n{passage.text}" if passage.title else passage.text


def dropped(index: Index, names: list[str]) -> Changes:
    """Drop documents that are there."""
    with writing(index.folder):
        drop(index.table, names)
    settle(index)
    return Changes(removed=len(names))


def drop(table: Any, names: list[str]) -> None:
    """Delete documents by name, by groups of them."""
    for start in range(0, len(names), GROUP):
        table.delete(col("document").isin(names[start : start + GROUP]))


def unsettled(index: Index) -> bool:
    """Whether a writer that was stopped left rows outside the full-text index."""
    with reading(index.folder):
        known = {each.name for each in index.table.list_indices()}
        name = f"{lexical.COLUMN}_idx"
        return name not in known or index.table.index_stats(name).num_unindexed_rows > 0


def settle(index: Index) -> None:
    """Put the table in order, and make its full-text index anew.

    So a word counts as it would if the index had been made of these documents at once.
    """
    with writing(index.folder):
        index.table.optimize(cleanup_older_than=KEPT)
        index.table.create_index(lexical.COLUMN, config=words_of(index.making.language))
        index.table.create_index("id", config=BTree())
