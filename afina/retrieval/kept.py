"""What is kept of an index that something was measured with; the index again, if it is the same."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afina.errors import ArtefactError, MismatchError
from afina.retrieval.index import Index
from afina.retrieval.index_faults import reading
from afina.retrieval.indexing import Load, to_search


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


def reopened(settings: Mapping[str, object], load: Load) -> tuple[Index, Kept]:
    """The index that was kept, if it is there and holds what it held.

    Raises:
        InputError: it is gone.
        MismatchError: it holds other passages, or vectors of another model.
        ArtefactError: what was kept is garbled, or the index is damaged.
    """
    match dict(settings):
        case {
            "folder": str(folder),
            "mode": str(mode),
            "model": str(model),
            "model_digest": str(digest),
            "content": str(content),
        }:
            kept = Kept(folder, mode, model, digest, content)
            index = to_search(Path(folder), mode, load)
            if Kept.of(index, mode) != kept:
                raise MismatchError(
                    f"the index {folder} holds other passages, or vectors of another model, than "
                    "when the prompt was measured; bring it back to what it was with afina index, "
                    "or tune anew"
                )
            return index, kept
    raise ArtefactError("expected a bundle with an index, came another shape; tune it anew")
