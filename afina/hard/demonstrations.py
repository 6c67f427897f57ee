"""Demonstrations: which examples a prompt shows, at random or by the row that is asked.

A selector takes the examples and what choosing needs, does once what is the same for all rows, and
gives a function from a row and a count to the examples shown. Those most like the row stand last,
next to it.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afina.errors import InputError
from afina.hard.form import answer
from afina.hard.template import plain
from afina.solver import Values
from afina.task.example import Example
from afina.task.signature import Signature

Select = Callable[[Values, int], tuple[Example, ...]]
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]  # N texts -> [N, H]

WORD = re.compile(r"\w+")
LONGEST = 3  # words of an n-gram


@dataclass(frozen=True)
class Aids:
    """What a selector may need besides the examples."""

    signature: Signature
    seed: int = 0
    room: int = 2000  # of the row and its examples together, as ``length`` counts
    length: Callable[[str], int] = len  # characters; a tokenizer's count where room is in tokens
    vectors: Vectors | None = None  # needed by nearest and mmr
    likeness: float = 0.5  # mmr: 1 looks at the row alone, 0 at the other examples alone

    def text(self, inputs: Values) -> str:
        """A row's inputs, a line each; raises InputError where one is missing."""
        for field in self.signature.inputs:
            if field.name not in inputs:
                came = ", ".join(inputs) or "none"
                raise InputError(f"expected the input {field.name!r}, came {came}")
        return "\n".join(plain(inputs[field.name]) for field in self.signature.inputs)


def at_random(examples: Sequence[Example], aids: Aids) -> Select:
    """The same examples for all rows, drawn by the seed."""
    drawn = tuple(random.Random(aids.seed).sample(examples, len(examples)))
    return lambda inputs, count: drawn[:count]


def balanced(examples: Sequence[Example], aids: Aids) -> Select:
    """The same examples for all rows, drawn by the seed, the labels in turn."""
    order = random.Random(aids.seed).sample(range(len(examples)), len(examples))

    def select(inputs: Values, count: int) -> tuple[Example, ...]:
        return choose_demonstrations(examples, aids.signature, count=count, order=order)

    return select


def choose_demonstrations(
    examples: Sequence[Example], signature: Signature, *, count: int, order: Sequence[int]
) -> tuple[Example, ...]:
    """The first ``count`` examples in a given order, one label after the other.

    ``order`` is a permutation of places; each turn takes the next example of each label, so the
    labels are balanced. Where the target is no choice every answer is a label of its own.
    """
    target = signature.target.name
    waiting: dict[str, list[Example]] = {}
    for place in order:
        waiting.setdefault(str(examples[place].outputs[target]), []).append(examples[place])
    turns = max((len(group) for group in waiting.values()), default=0)
    rounds = [
        group[turn] for turn in range(turns) for group in waiting.values() if turn < len(group)
    ]
    return tuple(rounds[:count])


def by_length(examples: Sequence[Example], aids: Aids) -> Select:
    """Examples in an order drawn by the seed, each that still fits beside the row."""
    drawn = random.Random(aids.seed).sample(examples, len(examples))
    lengths = [aids.length(whole(example, aids)) for example in drawn]

    def select(inputs: Values, count: int) -> tuple[Example, ...]:
        room, shown = aids.room - aids.length(aids.text(inputs)), list[Example]()
        for example, length in zip(drawn, lengths, strict=True):
            if len(shown) < count and length <= room:
                shown.append(example)
                room -= length
        return tuple(shown)

    return select


def whole(example: Example, aids: Aids) -> str:
    """An example's inputs and answer."""
    return f"{aids.text(example.inputs)}\n{answer(aids.signature, example.outputs)}"


def nearest(examples: Sequence[Example], aids: Aids) -> Select:
    """The examples whose vectors have the largest cosine with the row's.

    Liu et al. 2022, https://aclanthology.org/2022.deelio-1.10.
    """
    known = unit_vectors([aids.text(example.inputs) for example in examples], aids)  # [N, H]

    def select(inputs: Values, count: int) -> tuple[Example, ...]:
        order = np.argsort(-cosines(known, inputs, aids), kind="stable")
        return last_is_best(examples, order.tolist(), inputs, count)

    return select


def mmr(examples: Sequence[Example], aids: Aids) -> Select:
    """Maximal marginal relevance: like the row, unlike those chosen before.

    Each turn takes the example with the largest ``λ cos(e, row) - (1 - λ) max cos(e, chosen)``,
    λ being ``likeness``. Carbonell and Goldstein 1998, https://doi.org/10.1145/290941.291025.
    """
    known = unit_vectors([aids.text(example.inputs) for example in examples], aids)  # [N, H]

    def order(like: NDArray[np.float32]) -> Iterator[int]:
        closest = np.zeros(len(known))  # to those chosen; nothing before the first
        left = np.ones(len(known), dtype=bool)
        while left.any():
            gain = aids.likeness * like - (1 - aids.likeness) * closest
            best = int(np.where(left, gain, -np.inf).argmax())
            yield best
            to_best = known @ known[best]
            closest = to_best if left.all() else np.maximum(closest, to_best)
            left[best] = False

    def select(inputs: Values, count: int) -> tuple[Example, ...]:
        return last_is_best(examples, order(cosines(known, inputs, aids)), inputs, count)

    return select


def cosines(known: NDArray[np.float32], inputs: Values, aids: Aids) -> NDArray[np.float32]:
    """The cosines of the examples' vectors, [N, H], with the row's, [N]."""
    row = unit_vectors([aids.text(inputs)], aids)[0]  # [H]
    return known @ row if len(known) else np.zeros(0, dtype=np.float32)


def unit_vectors(texts: Sequence[str], aids: Aids) -> NDArray[np.float32]:
    """A vector of length 1 a text, [N, H]; of length 0 where it has no direction."""
    if aids.vectors is None:
        raise InputError("choosing examples by vectors needs a model that gives them; name one")
    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    found = np.asarray(aids.vectors(texts), dtype=np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return (found / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def overlap(examples: Sequence[Example], aids: Aids) -> Select:
    """The examples that share most n-grams of one to three words with the row.

    The mean over n of Dice's ``2 |A ∩ B| / (|A| + |B|)``, A and B being the sets of n-grams.
    """
    sizes: list[list[int]] = []
    places: dict[tuple[str, ...], list[int]] = {}
    for place, example in enumerate(examples):
        grams = n_grams(aids.text(example.inputs))
        sizes.append([len(each) for each in grams])
        for gram in set().union(*grams):
            places.setdefault(gram, []).append(place)

    def select(inputs: Values, count: int) -> tuple[Example, ...]:
        scores = [0.0] * len(examples)
        for length, grams in enumerate(n_grams(aids.text(inputs))):
            shared = Counter(place for gram in grams for place in places.get(gram, ()))
            for place, number in shared.items():
                scores[place] += 2 * number / (len(grams) + sizes[place][length])
        order = sorted(range(len(examples)), key=lambda place: -scores[place])
        return last_is_best(examples, order, inputs, count)

    return select


def n_grams(text: str) -> list[set[tuple[str, ...]]]:
    """The sets of a text's n-grams, by n from 1."""
    words = WORD.findall(text.casefold())
    return [
        {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}
        for length in range(1, LONGEST + 1)
    ]


def last_is_best(
    examples: Sequence[Example], order: Iterable[int], inputs: Values, count: int
) -> tuple[Example, ...]:
    """The first ``count`` of an order, turned round; never the row itself with its answer."""
    shown: list[Example] = []
    for place in order:
        if len(shown) == count:
            break
        if dict(examples[place].inputs) != dict(inputs):
            shown.append(examples[place])
    return tuple(reversed(shown))


SELECTORS: dict[str, Callable[[Sequence[Example], Aids], Select]] = {
    "random": at_random,
    "balanced": balanced,
    "length": by_length,
    "nearest": nearest,
    "mmr": mmr,
    "overlap": overlap,
}
SAME_FOR_ALL = ("random", "balanced")  # the prompt's beginning is then one for all rows
