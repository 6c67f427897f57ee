"""Leaks: examples that stand, wholly or nearly, in two splits, and groups that are shared."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from afina.solver import Value
from afina.task.example import Example
from afina.task.minhash import similar_pairs

Kind = Literal["exact", "near", "group"]
Words = tuple[str, ...]

WORDS_PER_EDIT = 8
DROPPED, SWAPPED, MISTYPED = 0.75, 0.5, 0.3


@dataclass(frozen=True)
class Leak:
    """An example of one split beside its like in a later one."""

    kind: Kind
    split: str
    id: str
    other_split: str
    other_id: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.split} {self.id} ~ {self.other_split} {self.other_id}"


def find_leaks(splits: Mapping[str, Sequence[Example]]) -> list[Leak]:
    """Find the leaks between splits, in their order: exact, near, then shared groups.

    Exact are equal inputs but for case, punctuation and white space; near differ in typos or in
    about one word of eight, but in no number. Every example that leaks is named at least once,
    beside one of its like; not every pair is.
    """
    by_key = {name: indexed(rows, key_of) for name, rows in splits.items()}
    by_group = {name: indexed(rows, lambda row: row.group) for name, rows in splits.items()}
    alike = near_keys(by_key)
    leaks: list[Leak] = []
    for one, other in combinations(splits, 2):
        here, there = by_key[one], by_key[other]
        same = [(here[key], there[key]) for key in here if key in there]
        leaks += named("exact", one, other, same)
        leaks += named("near", one, other, near_pairs(here, there, alike))
        here, there = by_group[one], by_group[other]
        leaks += named("group", one, other, [(here[g], there[g]) for g in here if g in there and g])
    return sorted(leaks, key=lambda leak: ("exact", "near", "group").index(leak.kind))


def named(
    kind: Kind, one: str, other: str, pairs: Iterable[tuple[list[Example], list[Example]]]
) -> Iterator[Leak]:
    """Name each example of the pairs once, beside the first of the other side."""
    seen: set[tuple[str, str]] = set()
    for here, there in pairs:
        for row, like in [*((row, there[0]) for row in here), *((here[0], row) for row in there)]:
            if (one, row.id) not in seen or (other, like.id) not in seen:
                seen |= {(one, row.id), (other, like.id)}
                yield Leak(kind, one, row.id, other, like.id)


def indexed(rows: Sequence[Example], key: Callable[[Example], str]) -> dict[str, list[Example]]:
    """Examples by key."""
    found: dict[str, list[Example]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def words_of(value: Value) -> Words:
    """The words of a text in lower case, without punctuation where words are what it is made of.

    In a text with fewer than three words, such as ``C++`` or ``5 - 3``, only the full stop or
    question mark at its end is taken off.
    """
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = text.casefold()
    if len(re.findall(r"[^\W\d_]+", text)) < 3:
        return tuple(text.rstrip(" .,;:!?").split()) or (text,)
    return tuple(re.sub(r"[^\w\s]|_", "", text).split())


def key_of(example: Example) -> str:
    """What exact duplicates have in common."""
    parts = []
    for value in example.inputs.values():
        words = words_of(value)
        parts.append("".join(words) if len(words) > 2 else " ".join(words))
    return "\n".join(parts)


def near_pairs(
    here: Mapping[str, list[Example]],
    there: Mapping[str, list[Example]],
    alike: Mapping[str, Sequence[str]],
) -> Iterator[tuple[list[Example], list[Example]]]:
    """Examples of both sides whose keys are nearly alike, but those already exact on both."""
    for key, rows in here.items():
        for other in alike.get(key, ()):
            if other in there and not (key in there and other in here):
                yield rows, there[other]


def near_keys(by_key: Mapping[str, Mapping[str, list[Example]]]) -> dict[str, list[str]]:
    """Keys that are nearly alike, each with its like."""
    first: dict[str, Example] = {}
    places: dict[str, int] = {}
    for number, found in enumerate(by_key.values()):
        for key, rows in found.items():
            first.setdefault(key, rows[0])
            places[key] = places.get(key, 0) | 1 << number
    keys = list(first)
    parts = [fields_of(first[key]) for key in keys]
    texts = [
        " ".join(word for part in row if isinstance(part, tuple) for word in part) for row in parts
    ]
    alike: dict[str, list[str]] = {}
    for one, other in similar_pairs(texts, [places[key] for key in keys]):
        if near(parts[one], parts[other]):
            alike.setdefault(keys[one], []).append(keys[other])
            alike.setdefault(keys[other], []).append(keys[one])
    return alike


def fields_of(example: Example) -> list[Words | float]:
    """Inputs as words, and numbers as they are."""
    return [
        value if isinstance(value, int | float) else words_of(value)
        for value in example.inputs.values()
    ]


def near(one: Sequence[Words | float], other: Sequence[Words | float]) -> bool:
    """Whether each text of two examples is equal or nearly so, and each number equal."""
    for a, b in zip(one, other, strict=True):
        if a == b:
            continue
        if not isinstance(a, tuple) or not isinstance(b, tuple):
            return False
        limit = max(len(a), len(b)) / WORDS_PER_EDIT
        a, b = trimmed(a, b)
        if figures(a) != figures(b) or edits(a, b, limit) > limit:
            return False
    return True


def figures(words: Words) -> list[str]:
    """The words with a digit in them: texts that differ in one are about different things."""
    return sorted(word for word in words if re.search(r"\d", word))


def edits(one: Words, other: Words, limit: float) -> float:
    """What it takes to turn one text into the other: words changed, dropped, swapped, mistyped.

    A changed word costs 1. Stops, with more than ``limit``, as soon as no way is left under it.
    """
    if abs(len(one) - len(other)) * DROPPED > limit:
        return limit + 1
    before: list[float] = []
    above = [place * DROPPED for place in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        row = [i * DROPPED]
        for j, b in enumerate(other, 1):
            cost = min(above[j] + DROPPED, row[-1] + DROPPED, above[j - 1] + change(a, b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, before[j - 2] + SWAPPED)
            row.append(cost)
        if min(*row, *above) > limit:
            return limit + 1
        before, above = above, row
    return above[-1]


def trimmed(one: Words, other: Words) -> tuple[Words, Words]:
    """Two texts without the words they share at the start and at the end."""
    shortest = min(len(one), len(other))
    start = next((n for n in range(shortest) if one[n] != other[n]), shortest)
    one, other = one[start:], other[start:]
    shortest -= start
    end = next((n for n in range(shortest) if one[-1 - n] != other[-1 - n]), shortest)
    return one[: len(one) - end], other[: len(other) - end]


def change(one: str, other: str) -> float:
    """The cost of one word in place of another: little for a typo in a word of four letters."""
    if one == other:
        return 0.0
    if min(len(one), len(other)) < 4 or not (one.isalpha() and other.isalpha()):
        return 1.0
    a, b = trimmed(tuple(one), tuple(other))
    typo = max(len(a), len(b)) <= 1 or (len(a) == len(b) == 2 and a == b[::-1])
    return MISTYPED if typo else 1.0
