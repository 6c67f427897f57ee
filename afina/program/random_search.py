"""Random search: many sets of examples, scored on the same rows of dev; the better half goes on.

Khattab et al. 2023, https://arxiv.org/abs/2310.03714. We differ: all sets are scored on a few rows
and not on all of dev; the better half goes on to twice as many, until one is left.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from afina.lm.lm import LM
from afina.program.found import Found
from afina.program.gathering import drawn_sets, good_marks, mixed
from afina.program.program import Program
from afina.program.proposing import labelled, showing
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from afina.task.example import Example
from afina.task.task import Task

FEWEST = 10  # rows of dev on which a set is scored
LAST = 3  # candidates that are scored on more rows at the end
GATHERED = 0.15  # of the calls, for traces to take examples from


@dataclass(frozen=True)
class RandomSearchSettings:
    """How many sets are drawn, of what size, and what may be spent."""

    sets: int = 24  # sets of examples, the empty one included
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
    """Gather traces, draw sets, and let them halve."""
    order = random.Random(settings.seed)
    given, train = search.candidates[0], mixed(search.task.train, order)
    share = gathered_share(given.program, train)
    keep = round(settings.calls * (1 - share))
    good = good_marks(search, given, train, wanted=settings.shots, keep=keep)
    dev = mixed(search.task.dev, order)
    rows = search.purse.left // search.cost(given, 1)
    count = min(settings.sets, most_sets(rows))
    made = [given]
    for number in range(count - 1):
        shots = max(1, settings.shots if number % 6 else settings.shots // 2)
        own = good if number % 2 else good[: settings.shots // 4]
        shown = drawn_sets(given.program, own, train, shots=shots, order=order)
        made.append(search.add(showing(given.program, shown), 0, f"{shots_of(shown)} examples"))
    halve(search, made, dev)
    finish(search, dev)


def gathered_share(program: Program, train: Sequence[Example]) -> float:
    """Of the calls, how many go into traces: more where a prompt has no other examples."""
    some = all(labelled(prompt, train) for prompt in program.prompts.values())
    return GATHERED if some else 2 * GATHERED


def most_sets(rows: int) -> int:
    """How many sets can halve down to two where the first are scored on the fewest rows."""
    count = 2
    while (count + 1) * (math.log2(count + 1) + 1) / 2 * FEWEST <= rows:
        count += 1
    return count


def halve(search: Search, candidates: Sequence[Candidate], dev: Sequence[Example]) -> None:
    """Score all on the same rows, keep the better half, score it on twice as many, and so on.

    Jamieson and Talwalkar 2016, https://proceedings.mlr.press/v51/jamieson16.html.
    """
    rounds = max(1, math.ceil(math.log2(len(candidates))))
    rows = search.purse.left // search.cost(candidates[0], 1)
    count = max(1, 2 * rows // (len(candidates) * (rounds + 1)))  # a round but the first costs half
    running = list(candidates)
    while len(running) > 1:
        for candidate in running:
            search.score(candidate, dev[:count])
        running = ranked(search, running)[: (len(running) + 1) // 2]
        count *= 2


def ranked(search: Search, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates by their score, of equals the shortest first; those without any last."""

    def rank(candidate: Candidate) -> tuple[float, int, int]:
        mean = search.scored(candidate).mean
        return (math.inf if mean is None else -mean, candidate.size, candidate.number)

    return sorted(candidates, key=rank)


def shares(rows: int, sets: int, dev: int) -> tuple[int, int]:
    """On how many rows of dev how many candidates are scored, so that a third is left."""
    most = max(1, rows * 2 // 3)
    each = min(dev, max(FEWEST, most // sets))
    return each, max(1, min(sets, most // each))


def shots_of(shown: Mapping[str, Sequence[Example]]) -> int:
    """Examples of the prompt that shows most."""
    return max(map(len, shown.values()), default=0)


def finish(search: Search, dev: Sequence[Example], *, last: int = LAST) -> None:
    """Score the best candidates on as many more rows of dev as the calls left allow."""

    scored = [each for each in search.candidates if search.scored(each).mean is not None]
    most = max((len(search.dev[each.number]) for each in scored), default=0)
    best = ranked(search, [each for each in scored if 2 * len(search.dev[each.number]) >= most])
    best = best[:last]
    left = search.purse.left // search.cost(search.candidates[0], 1)
    behind = [most - len(search.dev[each.number]) for each in best]
    more = (left - sum(behind)) // max(1, len(best))
    if more >= 0 and best:
        for candidate in best:
            search.score(candidate, dev[: most + more])
