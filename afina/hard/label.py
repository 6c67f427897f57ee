"""Which label a text names: exactly, whatever its case, by its beginning, or as the only one."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

WORD = re.compile(r"[^\W_]+")
SHORTEST = 3  # letters of a label's beginning
NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|no|non|cannot|hardly)|n['’]t)\W+(?:\w+\W+)?$", re.IGNORECASE
)


def read_label_loosely(text: str, labels: Mapping[str, T]) -> tuple[T, str]:
    """What a label in the text means and how it was found; several may mean the same.

    Raises ValueError where none fits, or some that mean different things.

    >>> moods = {"positive": 1, "negative": 0}
    >>> read_label_loosely("I would say Positive.", moods)
    (1, 'mention')
    >>> read_label_loosely("positive or negative", moods)
    Traceback (most recent call last):
    ValueError: two labels: it names 'positive' and 'negative'
    """
    if text in labels:
        return labels[text], ""
    for repair, same in (
        ("case", [each for each in labels if each.casefold() == text.casefold()]),
        ("punctuation", [each for each in labels if words(each) and words(each) == words(text)]),
        ("beginning", begun(text, labels)),
    ):
        if same:
            return only(same, labels, "fits"), repair
    return only(list(mentioned(text, labels)), labels, "names"), "mention"


def only(found: Sequence[str], labels: Mapping[str, T], verb: str) -> T:
    """The one meaning of labels found; raises ValueError where there is none or another."""
    if not found:
        raise ValueError("no label: it names none")
    for label in found:
        if labels[label] != labels[found[0]]:
            raise ValueError(f"two labels: it {verb} {found[0]!r} and {label!r}")
    return labels[found[0]]


def words(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared."""
    return tuple(WORD.findall(text.casefold()))


def begun(text: str, labels: Iterable[str]) -> list[str]:
    """The labels that a text is the beginning of, as where a model stopped early."""
    start = text.casefold()
    if len(start) < SHORTEST:
        return []
    return [each for each in labels if each.casefold().startswith(start)]


def mentioned(text: str, labels: Iterable[str]) -> Iterator[str]:
    """The labels in a text, at each place the longest; raises ValueError where one is negated."""
    by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for label in labels:
        if parts := words(label):
            by_first.setdefault(parts[0], []).append((parts, label))
    found = [(match.group().casefold(), match) for match in WORD.finditer(text)]
    place = 0
    while place < len(found):
        fits = [
            (parts, label)
            for parts, label in by_first.get(found[place][0], ())
            if tuple(word for word, _ in found[place : place + len(parts)]) == parts
        ]
        start, length = found[place][1].start(), 1
        if fits:
            length = max(len(parts) for parts, _ in fits)
            end = found[place + length - 1][1].end()
            for label in (label for parts, label in fits if len(parts) == length):
                if len(label.strip("()[]")) > 1 or marked(text, start, end):
                    if NEGATED.search(text[max(0, start - 40) : start]):
                        raise ValueError(f"negated label: it names {label!r} behind a 'not'")
                    yield label
        place += length


def marked(text: str, start: int, end: int) -> bool:
    """Whether a label of one character stands in brackets, quotes or bold, or before a colon."""
    around = text[max(0, start - 1) : start] + text[end : end + 1]
    return any(sign in around for sign in "()[]*\"':")
