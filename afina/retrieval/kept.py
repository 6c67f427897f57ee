"""What is kept of an index that a prompt was measured with; the index again, if it is the same."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afina.errors import ArtefactError, InputError, MismatchError
from afina.retrieval.index import Index, open_index
from afina.retrieval.index_faults import reading
from afina.retrieval.indexing import Load, to_search
from afina.retrieval.retriever import Retriever
from afina.task.pinned import DIGITS, PINNED


@dataclass(frozen=True)
class Kept:
    """A folder, how it is searched, its model, and the digest of all it holds."""

    folder: str
    mode: str
    model: str
    model_digest: str
    content: str

    @classmethod
    def of(cls, index: Index, mode: str) -> "Kept":
        """What is kept of an index; raises ArtefactError where it is damaged."""
        making, folder = index.making, str(index.folder.absolute())
        return cls(folder, mode, making.model, making.digest, content_digest(index))


def content_digest(index: Index) -> str:
    """sha256 of the ids of all passages and their documents' digests, in order of the ids.

    Raises:
        ArtefactError: the index is damaged.
    """
    with reading(index.folder):
        index.table.checkout_latest()
        rows = [
            (row["id"], row["digest"])
            for batch in index.table.search().select(["id", "digest"]).to_batches()
            for row in batch.to_pylist()
        ]
    content = json.dumps([index.making.language, *sorted(rows)])
    return hashlib.sha256(content.encode()).hexdigest()


def kept_retriever(origin: Mapping[str, object], load: Load) -> Retriever:
    """The retriever of an index that was kept, if the index is there and holds what it held.

    Raises:
        InputError: it is gone.
        MismatchError: it holds other passages, or vectors of another model.
        ArtefactError: what was kept is garbled, or the index is damaged.
    """
    match dict(origin):
        case {
            "folder": str(folder),
            "mode": str(mode),
            "model": str(model),
            "model_digest": str(digest),
            "content": str(content),
        }:
            index = to_search(Path(folder), mode, load)
            if Kept.of(index, mode) != Kept(folder, mode, model, digest, content):
                raise changed(folder)
            return index.retriever(mode)
    raise ArtefactError("expected a bundle with an index, came another shape; tune it anew")


def pinned_index(name: str) -> str:
    """The full path of an index with the digest of what it holds: ``FOLDER@digest``.

    Raises:
        InputError: there is none.
        MismatchError: the name is pinned already, and the index holds other passages now.
        ArtefactError: it is damaged.
    """
    folder = index_folder(name)
    digest = content_digest(open_index(folder))[:DIGITS]
    found = PINNED.fullmatch(name)
    if found and found[2] != digest:
        raise changed(str(folder))
    return f"{folder.absolute()}@{digest}"


def index_folder(name: str) -> Path:
    """The folder of a name that may be pinned.

    Raises:
        InputError: there is no name.
    """
    if not name:
        raise InputError(
            "expected index=FOLDER, got none; make an index with: afina index SOURCE --into FOLDER"
        )
    return Path(PINNED.sub(r"\1", name))


def changed(folder: str) -> MismatchError:
    """Our error for an index that is not what it was."""
    return MismatchError(
        f"the index {folder} holds other passages, or vectors of another model, than when the run "
        "was made; bring it back to what it was with afina index, or tune anew under another name"
    )
