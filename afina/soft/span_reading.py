"""How a question and a context become rows: ``question separator context``, in windows."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from afina.backbones.frozen import Frozen
from afina.errors import InputError, ModelError
from afina.soft.reading import Passage, Read, separator, written
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import Signature, Text
from afina.task.task import Task


@dataclass(frozen=True)
class SpanReader:
    """Reads a context behind all other inputs for one model.

    What is longer than ``room`` is read in windows over the context, which overlap by a third of
    what is left beside the question; an answer no longer than that stands whole in one of them.
    """

    frozen: Frozen
    signature: Signature
    room: int
    context: str  # the input that answers are taken from

    def read(self, inputs: Values) -> Read:
        """The windows.

        Raises:
            InputError: the question leaves no room for the context.
        """
        front = self._front(inputs)
        fit = self.room - len(front)
        if fit < 1:
            raise InputError(
                f"expected inputs that leave room for {self.context!r}, got {len(front)} tokens "
                f"where {self.frozen.name} takes {self.room} with the prompt; shorten them"
            )
        text = str(inputs[self.context])
        ids, pieces = pieces_of(self.frozen, text)
        windows = [
            Read([*front, *ids[start:end]], marks=Passage(text, len(front), pieces[start:end]))
            for start, end in stretches(len(ids), fit)
        ]
        if len(windows) == 1:
            return windows[0]
        tokens = [token for window in windows for token in window.tokens]
        return Read(tokens, windows=tuple(windows))

    def _front(self, inputs: Values) -> list[int]:
        """The other inputs and what parts them from the context."""
        others = tuple(each for each in self.signature.inputs if each.name != self.context)
        if not others:
            return []
        text = written(replace(self.signature, inputs=others), inputs)
        between = separator(self.frozen) or self.frozen.encode("\n")
        return [*self.frozen.encode(text), *between]


def stretches(count: int, room: int) -> list[tuple[int, int]]:
    """Windows over so many pieces.

    >>> stretches(10, 6), stretches(6, 6), stretches(0, 6)
    ([(0, 6), (4, 10)], [(0, 6)], [(0, 0)])
    """
    overlap = room // 3
    starts = range(0, max(count - overlap, 1), room - overlap)
    return [(start, min(start + room, count)) for start in starts]


def pieces_of(frozen: Frozen, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids of a text without special tokens, and the characters that each stands for.

    Raises:
        ModelError: the tokenizer does not tell them.
    """
    if not frozen.tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {frozen.name} does not tell which characters a token stands for; "
            "use a model with a fast tokenizer (tokenizer.json)"
        )
    found = frozen.tokenizer(
        text,
        add_special_tokens=False,
        split_special_tokens=True,
        return_offsets_mapping=True,
        verbose=False,
    )
    return list(found["input_ids"]), [(start, end) for start, end in found["offset_mapping"]]


def context_of(task: Task) -> str:
    """The text input that most of the training answers stand in; of equal ones the last.

    Raises:
        InputError: no input is a text.
    """
    names = [each.name for each in task.signature.inputs if each.type == Text()]
    if not names:
        raise InputError(
            f"expected an input that is a text, to find {str(task.signature.target)!r} in, "
            f"got {str(task.signature)!r}"
        )
    target = task.signature.target.name
    held = {
        name: sum(
            any(text in str(each.inputs[name]) for text in answers_in(each.outputs[target]))
            for each in task.train
        )
        for name in names
    }
    return max(reversed(names), key=lambda name: held[name])


def answers_in(value: Value) -> list[str]:
    """The accepted answers, without empty ones; none where there is no answer."""
    texts = [str(each).strip() for each in (value if isinstance(value, list) else [value])]
    return [text for text in texts if text]


def places_of(answer: str, text: str) -> list[tuple[int, int]]:
    """Where an answer stands in a text, in characters: between words, or else within them.

    >>> places_of("art", "art, party, art"), places_of("art", "party")
    ([(0, 3), (12, 15)], [(1, 4)])
    """
    found = [each.start() for each in re.finditer(f"(?={re.escape(answer)})", text)]
    places = [(start, start + len(answer)) for start in found]
    return [each for each in places if _between_words(text, *each)] or places


def _between_words(text: str, start: int, end: int) -> bool:
    return not any(0 < at < len(text) and text[at - 1 : at + 1].isalnum() for at in (start, end))


def span_rows(task: Task, reader: SpanReader) -> list[Read]:
    """The training rows, a window a row, with the pieces of the answers that stand in it.

    A window that holds a part of an answer and no whole one is left out: it shows neither an
    answer nor that there is none.

    Raises:
        InputError: an answer stands nowhere in its context, or no window holds a whole one.
    """
    rows = [row for each in task.train for row in _marked(each, reader)]
    if not any(isinstance(row.marks, Passage) and row.marks.wanted for row in rows):
        raise InputError(
            f"expected training examples whose answer fits into {reader.room} tokens, got none; "
            "add some, or shorten the prompt"
        )
    return rows


def _marked(example: Example, reader: SpanReader) -> Iterator[Read]:
    read = reader.read(example.inputs)
    answers = answers_in(example.outputs[reader.signature.target.name])
    text = str(example.inputs[reader.context])
    places = [place for answer in answers for place in places_of(answer, text)]
    if answers and not places:
        raise InputError(
            f"example {example.id}: expected an answer that stands in {reader.context!r}, got "
            f"{answers[0]!r}; mend it, or leave the example out"
        )
    for window in read.windows or (read,):
        assert isinstance(window.marks, Passage)
        whole, part = _pieces_at(window.marks.pieces, places)
        if whole or not part:
            marks = replace(window.marks, wanted=whole, unanswerable=not answers)
            yield replace(window, marks=marks)


def _pieces_at(
    pieces: Sequence[tuple[int, int]], places: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], bool]:
    """First and last piece of each place that is whole among pieces; whether one is in part."""
    starts, ends = [start for start, _ in pieces], [end for _, end in pieces]
    whole, part = set[tuple[int, int]](), False
    for start, end in places:
        first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
        if first > last:
            continue
        if starts[first] <= start and end <= ends[last]:
            whole.add((first, last))
        else:
            part = True
    return sorted(whole), part
