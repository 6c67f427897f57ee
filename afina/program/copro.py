"""COPRO: instructions proposed and scored, one prompt at a time, each round from the last one's.

Coordinate ascent over a program's instructions: Opsahl-Ong et al. 2024, "Optimizing instructions
and demonstrations for multi-stage language model programs", https://arxiv.org/abs/2406.11695, after
Zhou et al. 2022, "Large language models are human-level prompt engineers",
https://arxiv.org/abs/2211.01910. We differ: each proposer sees a few rows of train with what is
wanted of them, as Zhou et al. do, and instructions are scored on as many rows of dev as the calls
allow.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from afina.lm.lm import LM
from afina.program.evidence import known_rows, told
from afina.program.found import Found
from afina.program.gathering import mixed
from afina.program.program import Program
from afina.program.proposals import VARY
from afina.program.proposing import instructed, propose, step_of
from afina.program.random_search import finish, shares
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from afina.task.task import Task

SEEN = 8  # rows that one proposer sees
TRIED = 4  # instructions with their scores that it sees


@dataclass(frozen=True)
class CoproSettings:
    """How many instructions are tried, and what may be spent."""

    breadth: int = 5  # proposals a round and prompt
    depth: int = 4  # rounds
    calls: int = 400  # calls of language models at most
    seed: int = 0


def copro(
    program: Program,
    task: Task,
    lm: LM,
    settings: CoproSettings = CoproSettings(),
    means: Means = BY_ITSELF,
) -> Found:
    """The program with the best instructions of those that were proposed.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    return search.run(partial(ascend, settings))


def ascend(settings: CoproSettings, search: Search) -> None:
    """Rounds over all prompts, each from the best program so far."""
    order = random.Random(settings.seed)
    given, dev = search.candidates[0], mixed(search.task.dev, order)
    names = list(given.program.prompts)
    count = settings.breadth * settings.depth * len(names) + 1
    rows, tried = shares(search.purse.left // search.cost(given, 1), count, len(dev))
    search.score(given, dev[:rows])
    breadth = max(2, min(settings.breadth, (tried - 1) // (2 * len(names))))
    for step in range(settings.depth):
        for name in names:
            best = search.best()
            for text in proposals(search, best, name, breadth, order, step):
                made = search.add(
                    instructed(best.program, name, text), best.number, f"{name} worded anew"
                )
                keep = search.cost(given, rows)
                if search.purse.left < 2 * keep:
                    break
                search.score(made, dev[:rows])
    finish(search, dev)


def proposals(
    search: Search, best: Candidate, name: str, breadth: int, order: random.Random, step: int
) -> list[str]:
    """New instructions for a prompt, each from other rows and from those tried."""
    train = search.task.train
    hands = [order.sample(list(train), min(SEEN, len(train))) for _ in range(breadth)]
    rows = list({row.id: row for hand in hands for row in hand}.values())
    marks = known_rows(search, best, rows[:SEEN])
    told_rows = [rows[:SEEN]] * breadth if marks else hands
    asked = [
        {
            "step": step_of(best.program.prompts[name].signature),
            "tried": tried(search, name),
            "cases": told(best, name, hand, marks),
        }
        for hand in told_rows
    ]
    # Equal requests are told apart by the round they are of.
    return [
        text
        for place, row in enumerate(asked)
        for text in propose(search, VARY, [row], repeat=step * breadth + place)
        if text
    ]


def tried(search: Search, name: str) -> str:
    """The best instructions of a prompt with their scores, the best last."""
    scores: dict[str, float] = {}
    for each in search.candidates:
        mean = search.scored(each).mean
        if mean is not None:
            text = each.program.prompts[name].signature.instruction
            scores[text] = max(mean, scores.get(text, 0.0))
    best: Sequence[str] = sorted(scores, key=lambda text: scores[text])[-TRIED:]
    return "\n\n".join(f"{100 * scores[text]:.0f} of 100: {text}" for text in best)
