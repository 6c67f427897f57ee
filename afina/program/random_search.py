"""Random search: many sets of examples, each scored on the same rows of dev; the best is kept.

Khattab et al. 2023, https://arxiv.org/abs/2310.03714. We differ: sets are of several sizes, each is
scored on as many rows as the calls allow, and those that do best go on to all that is left.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from afina.lm.lm import LM
from afina.program.found import Found
from afina.program.gathering import drawn_sets, good_marks, mixed
from afina.program.program import Program
from afina.program.proposing import showing
from afina.program.scored import Mark
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from afina.task.example import Example
from afina.task.task import Task

FEWEST = 10  # rows of dev on which a set is scored
LAST = 3  # sets that are scored on more rows
GATHERED = 0.2  # of the calls, for traces to take examples from


@dataclass(frozen=True)
class RandomSearchSettings:
    """How many sets are drawn, of what size, and what may be spent."""

    sets: int = 16  # sets of examples, the empty one included
    shots: int = 16  # examples of the largest set
    calls: int = 400  # calls of language models at most
    seed: int = 0


def random_search(
    program: Program,
    task: Task,
    lm: LM,
    settings: RandomSearchSettings = RandomSearchSettings(),
    means: Means = BY_ITSELF,
) -> Found:
    """The program with the best of many sets of examples.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    return search.run(partial(draw, settings))


def draw(settings: RandomSearchSettings, search: Search) -> None:
    """Gather traces, draw sets, score all on some rows of dev and the best on more."""
    order = random.Random(settings.seed)
    given, train = search.candidates[0], mixed(search.task.train, order)
    keep = round(settings.calls * (1 - GATHERED))
    good = good_marks(search, given, train, wanted=2 * settings.shots, keep=keep)
    dev = mixed(search.task.dev, order)
    rows, count = shares(search.purse.left // search.cost(given, 1), settings.sets, len(dev))
    search.score(given, dev[:rows])
    for shown in sets_drawn(given.program, good, train, settings.shots, count - 1, order):
        made = search.add(showing(given.program, shown), 0, f"{shots_of(shown)} examples")
        search.score(made, dev[:rows])
    finish(search, dev)


def shares(rows: int, sets: int, dev: int) -> tuple[int, int]:
    """On how many rows of dev how many sets are scored, so that a third of the rows is left."""
    most = max(1, rows * 2 // 3)
    each = min(dev, max(FEWEST, most // sets))
    return each, max(1, min(sets, most // each))


def sets_drawn(
    program: Program,
    good: Sequence[Mark],
    train: Sequence[Example],
    most: int,
    count: int,
    order: random.Random,
) -> Iterator[Mapping[str, Sequence[Example]]]:
    """Sets of examples: large ones, half as large ones, with and without rows not run well."""
    for number in range(count):
        shots = max(1, most if number % 3 else most // 2)
        rows = train if number % 2 else []
        yield drawn_sets(program, good if number % 4 != 3 else [], rows, shots=shots, order=order)


def shots_of(shown: Mapping[str, Sequence[Example]]) -> int:
    """Examples of the prompt that shows most."""
    return max(map(len, shown.values()), default=0)


def finish(search: Search, dev: Sequence[Example], *, last: int = LAST) -> None:
    """Score the best candidates on as many more rows of dev as the calls left allow."""

    def mean(candidate: Candidate) -> float:
        return search.scored(candidate).mean or 0.0

    scored = [each for each in search.candidates if search.scored(each).mean is not None]
    ranked = sorted(scored, key=lambda each: (-mean(each), each.size, each.number))[:last]
    done = max((len(search.dev[each.number]) for each in ranked), default=0)
    more = search.purse.left // (search.cost(search.candidates[0], 1) * max(1, len(ranked)))
    if more > 0 and done < len(dev):
        for candidate in ranked:
            search.score(candidate, dev[: done + more])
