"""Making an index of a source, or bringing it up to date; and opening one to search it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from afina.errors import InputError, MismatchError
from afina.retrieval.cut import Cutting
from afina.retrieval.embedding import Embedding
from afina.retrieval.index import Index, is_index, make_index, open_index
from afina.retrieval.lexical import language_named
from afina.retrieval.query_file import Query
from afina.retrieval.source import origin_of, read_source
from afina.retrieval.update import (
    Changes,
    Show,
    read_all,
    remove_source,
    show_nothing,
    update_index,
)

BATCH = 500  # queries that are searched together
Load = Callable[[str], Embedding]  # a model by its name


@dataclass(frozen=True)
class Wish:
    """What an index shall be; what is None is as the index has it, or as usual in a new one."""

    model: str | None = None  # "": no vectors
    language: str | None = None
    cutting: Cutting = field(default_factory=Cutting)


@dataclass(frozen=True)
class Indexed:
    """An index, what was written to it, and the files of the source that were left alone."""

    index: Index
    changes: Changes
    skipped: tuple[str, ...]


def index_source(
    path: Path, folder: Path, wish: Wish, load: Load, *, usual: str, show: Show = show_nothing
) -> Indexed:
    """Bring the index in a folder up to date with a source; ``usual`` is a new one's model.

    Raises:
        InputError: the source or the folder cannot be used.
        DataError: documents were refused; a new index is not made.
        MismatchError: the index has another model or language.
        BusyError: another process writes.
        SpaceError: the disk is full.
        ArtefactError: the index is damaged.
    """
    source = read_source(path, wish.cutting)
    if is_index(folder):
        index = opened(folder, wish, load)
    else:
        read_all(source.documents, {}, source.origin)
        model = usual if wish.model is None else wish.model
        embedding = load(model) if model else None
        index = make_index(folder, embedding=embedding, language=wish.language or "English")
    return Indexed(index, update_index(index, source, show=show), source.skipped)


def opened(folder: Path, wish: Wish, load: Load) -> Index:
    """The index in a folder with its model, if it is as wished.

    Raises:
        InputError: there is none.
        MismatchError: it has another model or language.
        ArtefactError: it is damaged.
    """
    index = open_index(folder)
    language = wish.language or index.making.language
    if language_named(language) != index.making.language:
        raise MismatchError(
            f"the index {folder} is of language {index.making.language.lower()}, not "
            f"{language.lower()}; leave --language out, or make another index"
        )
    model = index.making.model if wish.model is None else wish.model
    return index.with_embedding(load(model) if model else None)


def to_search(folder: Path, mode: str | None, load: Load) -> Index:
    """The index in a folder, with its model where the mode needs it.

    Raises:
        InputError: there is none, or it cannot be searched in this mode.
        MismatchError: its model is not what it was.
        ArtefactError: it is damaged.
    """
    index = open_index(folder)
    return index if index.chosen(mode) == "lexical" else opened(folder, Wish(), load)


def remove_from(folder: Path, path: Path) -> Indexed:
    """Drop all documents of a source from the index in a folder; the source may be gone.

    Raises:
        InputError: there is no index, or no document of the source in it.
        BusyError: another process writes.
        ArtefactError: the index is damaged.
    """
    index = open_index(folder)
    return Indexed(index, remove_source(index, origin_of(path)), ())


def answers(
    index: Index, queries: Sequence[Query], k: int, *, mode: str | None
) -> Iterator[dict[str, object]]:
    """For each of many queries its id and the ids of its passages, the best first."""
    for start in range(0, len(queries), BATCH):
        batch = queries[start : start + BATCH]
        rankings = index.rank([each.text for each in batch], k, mode=mode)
        for query, ranking in zip(batch, rankings, strict=True):
            yield {"_id": query.id, "passages": [passage for passage, _ in ranking]}


def wish_of(
    model: str | None, language: str | None, words: int, overlap: int, *, lexical_only: bool
) -> Wish:
    """A wish as the command line has it.

    Raises:
        InputError: two of its parts exclude each other.
    """
    if lexical_only and model is not None:
        raise InputError(f"expected --lexical-only or --model, got both (--model {model})")
    return Wish("" if lexical_only else model, language, Cutting(words, overlap))
