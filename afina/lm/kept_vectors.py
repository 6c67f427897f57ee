"""Vectors of texts in the journal's file, each by its model and text, with the call it is from."""

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from afina.lm.journal import Journal

FIND = "SELECT vector FROM vectors WHERE key = ?"
KEEP = "INSERT OR REPLACE INTO vectors (key, call, vector) VALUES (?, ?, ?)"
NUMBERS = np.dtype("<f4")  # four bytes a number, on every machine


def vector_key(identity: Mapping[str, str], text: str) -> str:
    """What a vector is kept under: the same for the same text of the same model."""
    content = json.dumps({"model": dict(identity), "text": text}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def find_vectors(journal: Journal, keys: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """The vectors that are kept, by key."""
    found: dict[str, NDArray[np.float32]] = {}
    with journal.opened() as connection:
        for key in keys:
            row = connection.execute(FIND, (key,)).fetchone()
            if row is not None:
                found[key] = np.frombuffer(row[0], NUMBERS).astype(np.float32)
    return found


def keep_vectors(journal: Journal, call: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    """Keep vectors by key, until the call that brought them, named by its own key, is forgotten."""
    rows = [(key, call, vector.astype(NUMBERS).tobytes()) for key, vector in vectors.items()]
    with journal.transaction() as connection:
        connection.executemany(KEEP, rows)
