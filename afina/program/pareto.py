"""A Pareto front over examples: candidates that are best on some example, by how many."""

import random
from collections.abc import Mapping, Sequence


def front(scores: Mapping[int, Sequence[float | None]]) -> dict[int, int]:
    """Candidates not dominated, with the number of examples on which each is among the best.

    A candidate whose every best example is another's too is dominated, and left out.

    >>> front({0: [1.0, 0.0], 1: [0.0, 1.0], 2: [0.0, 0.5]})
    {0: 1, 1: 1}
    """
    width = max(map(len, scores.values()), default=0)
    holders: list[set[int]] = []
    for place in range(width):
        column = {
            number: own[place]
            for number, own in scores.items()
            if place < len(own) and own[place] is not None
        }
        if column:
            best = max(each for each in column.values() if each is not None)
            holders.append({number for number, each in column.items() if each == best})
    kept = {number for each in holders for number in each}
    for number in sorted(kept, key=lambda each: total(scores[each])):
        others = kept - {number}
        if all(each & others for each in holders if number in each):
            kept = others
    return {number: sum(number in each for each in holders) for number in sorted(kept)}


def total(scores: Sequence[float | None]) -> float:
    """The sum of the scores that are there."""
    return sum(each for each in scores if each is not None)


def drawn(counts: Mapping[int, int], order: random.Random) -> int:
    """A candidate of the front, the likelier the more examples it is best on."""
    return order.choices(list(counts), list(counts.values()))[0]
