"""How a list of words becomes rows of pieces, each word marked where it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from afina.backbones.frozen import Frozen
from afina.backbones.words import continuation
from afina.errors import InputError
from afina.soft.reading import Read, Words
from afina.solver import Span, Value, Values
from afina.task.example import Example
from afina.task.signature import Signature, Spans, TextList
from afina.task.task import Task


@dataclass(frozen=True)
class TokenReader:
    """Reads words for one model, in windows of ``room`` pieces where they do not fit in one.

    Windows overlap by about a quarter, and each word is asked about in one of them: there where it
    stands farther from the edge. A word of more pieces than there is room for loses its end.
    """

    frozen: Frozen
    signature: Signature
    room: int

    def read(self, inputs: Values) -> Read:
        """Pieces of the words, and where each word begins."""
        words = inputs[words_of(self.signature)]
        assert isinstance(words, list)
        if not words:
            return Read([unknown(self.frozen)], marks=Words([]))
        pieces = pieces_of(self.frozen, [str(word) for word in words])
        cut = sum(max(len(each) - self.room, 0) for each in pieces)
        pieces = [each[: self.room] for each in pieces]
        windows = [
            _window(pieces[start:end], first - start, last - start)
            for start, end, first, last in stretches(list(map(len, pieces)), self.room)
        ]
        if len(windows) == 1:
            return replace(windows[0], cut=cut)
        tokens = [token for window in windows for token in window.tokens]
        return Read(tokens, cut=cut, windows=tuple(windows))


def _window(pieces: Sequence[list[int]], first: int, last: int) -> Read:
    """Words as a row; those from ``first`` up to ``last`` are asked about in it."""
    begins, tokens = [], list[int]()
    for each in pieces:
        begins.append(len(tokens))
        tokens += each
    return Read(tokens, marks=Words(begins[first:last]))


def pieces_of(frozen: Frozen, words: Sequence[str]) -> list[list[int]]:
    """The ids of each word as it stands in a text, with a space before all but the first.

    A word that the tokenizer drops is the unknown token.
    """
    found = [
        continuation(frozen, "a", word) if place else frozen.encode(word)
        for place, word in enumerate(words)
    ]
    return [ids or [unknown(frozen)] for ids in found]


def unknown(frozen: Frozen) -> int:
    """The token for what a tokenizer does not know; padding's where it has none."""
    found = frozen.tokenizer.unk_token_id
    return frozen.pad if found is None else int(found)


def stretches(sizes: Sequence[int], room: int) -> list[tuple[int, int, int, int]]:
    """Windows over words of so many pieces: from, to, and from and to of the words it is asked.

    >>> stretches([1, 1, 1, 1, 1, 1], 4)
    [(0, 4, 0, 3), (3, 6, 3, 6)]
    """
    found = list(_overlapping(sizes, room))
    borders = [(end + start) // 2 for (_, end), (start, _) in pairwise(found)]
    asked = zip([0, *borders], [*borders, len(sizes)], strict=True)
    return [(*stretch, *own) for stretch, own in zip(found, asked, strict=True)]


def _overlapping(sizes: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Overlapping stretches of words, each of ``room`` pieces at most."""
    start = end = 0
    while True:
        taken = sum(sizes[start:end])
        while end < len(sizes) and taken + sizes[end] <= room:
            taken += sizes[end]
            end += 1
        yield start, end
        if end == len(sizes):
            return
        spare, start = min(room // 4, room - sizes[end]), end
        while sizes[start - 1] <= spare:
            start -= 1
            spare -= sizes[start]


def words_of(signature: Signature) -> str:
    """The name of the input that holds the words.

    Raises:
        InputError: there is not exactly one input, a list of words.
    """
    if [each.type for each in signature.inputs] != [TextList()]:
        raise InputError(
            f"expected one input, a list of words such as tokens: list[str], to mark "
            f"{str(signature.target)!r} in, got {str(signature)!r}"
        )
    return signature.inputs[0].name


def tags_of(labels: Sequence[str]) -> tuple[str, ...]:
    """BIO tags of labels.

    >>> tags_of(("PER", "LOC"))
    ('O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC')
    """
    return ("O", *(f"{mark}-{label}" for label in labels for mark in "BI"))


def tag_places(spans: Value, labels: Sequence[str], count: int) -> list[int]:
    """The place among the tags of each of ``count`` words.

    Raises:
        ValueError: a span ends behind the last word.
    """
    assert isinstance(spans, list)
    places = [0] * count
    for span in spans:
        assert isinstance(span, Span)
        if span.end > count:
            raise ValueError(f"{span} ends after the last of {count} words")
        begin = 1 + 2 * labels.index(span.label)
        places[span.start : span.end] = [begin, *[begin + 1] * (span.end - span.start - 1)]
    return places


def token_rows(task: Task, reader: TokenReader) -> list[Read]:
    """The training rows, a window a row, with the tags wanted of their words.

    Raises:
        InputError: a label has no examples, or a span ends behind the last word.
    """
    target = task.signature.target
    assert isinstance(target.type, Spans)
    rows = [row for each in task.train for row in _tagged(each, reader, target.type.labels)]
    seen = {tag for row in rows if isinstance(row.marks, Words) for tag in row.marks.tags}
    for place, label in enumerate(target.type.labels):
        if 1 + 2 * place not in seen:
            raise InputError(
                f"expected training examples of every label of {target.name}, got none of "
                f"{label!r}; add some, or leave the label out of the signature"
            )
    return rows


def _tagged(example: Example, reader: TokenReader, labels: Sequence[str]) -> Iterator[Read]:
    read, name = reader.read(example.inputs), reader.signature.target.name
    words = example.inputs[words_of(reader.signature)]
    assert isinstance(words, list)
    try:
        tags = tag_places(example.outputs[name], labels, len(words))
    except ValueError as error:
        raise InputError(f"example {example.id}: {error}; mend it") from error
    for window in read.windows or (read,):
        assert isinstance(window.marks, Words)
        asked = len(window.marks.places)
        if asked:
            yield replace(window, marks=replace(window.marks, tags=tags[:asked]))
        tags = tags[asked:]
