"""The tokens that a model is trained on, as files: plain text, and conversations."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.vocabulary import ASSISTANT, END, PAD, START

Ids = NDArray[np.uint16]
TRIES = 3  # conversations that may not fit before a row is full
KEPT = 1_000  # conversations that are kept for validation


@dataclass(frozen=True)
class Stock:
    """Plain text in one line, and conversations one behind another; ``starts`` has their places."""

    text: Ids
    valid: Ids  # text for validation
    talks: Ids
    starts: NDArray[np.int64]
    digest: str = ""  # of all files
    first: int = 0  # of the conversations, the first that is read
    last: int = -KEPT  # and the first that is not

    @classmethod
    def at(cls, folder: Path) -> "Stock":
        """The stock that ``recipes.prepare`` wrote."""
        return cls(
            np.load(folder / "text.npy", mmap_mode="r"),
            np.load(folder / "valid.npy", mmap_mode="r"),
            np.load(folder / "talks.npy", mmap_mode="r"),
            np.load(folder / "starts.npy"),
            hashlib.sha256((folder / "prepared.json").read_bytes()).hexdigest(),
        )

    @property
    def kept(self) -> "Stock":
        """What no training reads."""
        return replace(self, text=self.valid, first=len(self.starts) - 1 - KEPT, last=0)

    @property
    def end(self) -> int:
        """The number behind the last conversation that is read."""
        return len(self.starts) - 1 + self.last

    def talk(self, number: int) -> Ids:
        """One conversation."""
        return self.talks[self.starts[number] : self.starts[number + 1]]

    def text_rows(self, draw: np.random.Generator, rows: int, places: int) -> Ids:
        """Stretches of text behind a start, [rows, places]."""
        begins = draw.integers(0, len(self.text) - places, rows)
        found = np.stack([self.text[begin : begin + places] for begin in begins])
        found[:, 0] = START
        return found

    def talk_rows(self, draw: np.random.Generator, rows: int, places: int) -> Ids:
        """As many whole conversations a row as fit, [rows, places]; the rest is padding."""
        found = np.full((rows, places), PAD, dtype=np.uint16)
        for row in found:
            for start, talk in self._fitting(draw, places):
                row[start : start + len(talk)] = talk
        return found

    def _fitting(self, draw: np.random.Generator, places: int) -> Iterator[tuple[int, Ids]]:
        filled = tries = 0
        while tries < TRIES:
            talk = self.talk(int(draw.integers(self.first, self.end)))
            if filled + len(talk) > places:
                tries += 1
                continue
            yield filled, talk
            filled += len(talk)


def positions(rows: Ids) -> NDArray[np.int64]:
    """Places counted from each conversation's start; padding behind the last counts on from it."""
    places = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    begun = np.maximum.accumulate(np.where(rows == START, places, 0), axis=1)
    return (places - begun).astype(np.int64)


def answers(rows: Ids) -> NDArray[np.bool_]:
    """Where an answer or its end stands."""
    opened = np.cumsum(rows == ASSISTANT, axis=1)
    ended = np.cumsum(rows == END, axis=1)
    before = np.concatenate([np.zeros_like(ended[:, :1]), ended[:, :-1]], axis=1)
    found: NDArray[np.bool_] = (opened > before) & (rows != ASSISTANT)
    return found
