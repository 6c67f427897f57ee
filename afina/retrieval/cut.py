"""Cuts a text into passages at the borders of paragraphs and sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from afina.errors import InputError

PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’»)\]]*\s+")
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Cutting:
    """How long passages are.

    Raises:
        InputError: a passage would have no word, or nothing but what it repeats.
    """

    words: int = 200  # the most words of a passage
    overlap: int = 40  # the most words that a passage repeats of the one before

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.words:
            raise InputError(
                f"expected passages of more words than they repeat, got {self.words} words, of "
                f"which {self.overlap} are repeated; set words above overlap, and overlap 0 or more"
            )


@dataclass(frozen=True)
class Piece:
    """A sentence, or as much of a long one as a passage holds."""

    start: int
    end: int
    words: int
    opens: bool  # begins a paragraph


def cut(text: str, cutting: Cutting) -> list[tuple[int, int]]:
    """The beginnings and ends of passages, each a stretch of the text as it stands.

    A passage takes whole sentences while they fit. Once it is half full it ends with a paragraph
    that the next one does not fit behind. No word is left out.
    """
    pieces = list(pieces_of(text, cutting.words))
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(pieces):
        end = end_of(pieces, start, cutting.words)
        found.append((pieces[start].start, pieces[end - 1].end))
        start = end if end == len(pieces) else next_start(pieces, start, end, cutting)
    return found


def end_of(pieces: list[Piece], start: int, most: int) -> int:
    """Where a passage ends that begins at a piece."""
    end, words = start, 0
    border = 0
    while end < len(pieces) and words + pieces[end].words <= most:
        if pieces[end].opens and 2 * words >= most:
            border = end
        words += pieces[end].words
        end += 1
    full = end < len(pieces) and not pieces[end].opens
    return border if border and full else end


def next_start(pieces: list[Piece], start: int, end: int, cutting: Cutting) -> int:
    """Where the next passage begins: with the last sentences of the one before, if they fit.

    One that begins a paragraph repeats nothing.
    """
    if pieces[end].opens:
        return end
    room = min(cutting.overlap, cutting.words - pieces[end].words)
    begin = end
    while begin - 1 > start and pieces[begin - 1].words <= room:
        begin -= 1
        room -= pieces[begin].words
    return begin


def pieces_of(text: str, most: int) -> Iterator[Piece]:
    """All sentences of a text; one that is too long comes in pieces of ``most`` words."""
    for start, end in stretches(text, 0, len(text), PARAGRAPH):
        opens = True
        for first, last in stretches(text, start, end, SENTENCE):
            words = [word.span() for word in WORD.finditer(text, first, last)]
            for at in range(0, len(words), most):
                group = words[at : at + most]
                yield Piece(group[0][0], group[-1][1], len(group), opens)
                opens = False


def stretches(
    text: str, start: int, end: int, border: re.Pattern[str]
) -> Iterator[tuple[int, int]]:
    """What stands between borders."""
    for found in border.finditer(text, start, end):
        yield start, found.end()
        start = found.end()
    yield start, end
