"""A passage: a text that was retrieved, and where it stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with its source; ``score`` says how well it fits a query, in its retriever's units."""

    id: str
    text: str
    title: str = ""
    source: str = ""  # the file, and the page or characters of it
    score: float = 0.0
