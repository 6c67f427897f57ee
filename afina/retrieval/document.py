"""A document: what an index takes in, keeps the digest of, and drops as one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from afina.retrieval.passage import Passage


@dataclass(frozen=True, slots=True)
class Document:
    """A name, a digest of the content, and the passages, which are read when they are needed.

    ``passages`` raises ValueError with the reason where the document cannot be read.
    """

    name: str
    digest: str
    path: Path  # with its line, where it stands
    line: int
    passages: Callable[[], tuple[Passage, ...]]


def digest_of(*parts: str | bytes) -> str:
    """sha256 over parts and their lengths."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(f"{len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()
