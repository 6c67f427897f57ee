"""GEPA: instructions rewritten from feedback, a Pareto front over examples, and merging.

Agrawal et al. 2025, "GEPA: Reflective prompt evolution can outperform reinforcement learning",
https://arxiv.org/abs/2507.19457. A candidate of the front runs on a few rows of train; a writer
reads what came out and what was said of it, and rewrites one prompt; the child joins if it does
better on the same rows. We differ: candidates are scored on as many rows of dev as the calls allow
and not on all of it, rows on which nothing failed are not paid for a second time, and two
candidates of one prompt are merged by a writer.
"""

import random
from dataclasses import dataclass

from afina.lm.lm import LM
from afina.program.found import Found
from afina.program.gathering import mixed
from afina.program.pareto import drawn, front
from afina.program.program import Program
from afina.program.proposals import MERGE, REWRITE
from afina.program.proposing import cases, instructed, propose, step_of
from afina.program.random_search import finish
from afina.program.scored import differences
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from afina.task.task import Task

FEWEST = 10  # rows of dev on which candidates are scored
MERGE_EVERY = 3  # candidates that join between two merges
LAST = 0.2  # of the calls, for scoring the best on more rows


@dataclass(frozen=True)
class GepaSettings:
    """How candidates are made, and what may be spent."""

    rows: int = 4  # rows of train that a rewriting looks at
    calls: int = 400  # calls of language models at most
    seed: int = 0


def gepa(
    program: Program,
    task: Task,
    lm: LM,
    settings: GepaSettings = GepaSettings(),
    means: Means = BY_ITSELF,
) -> Found:
    """The best program of the front that reflection has made.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    return search.run(lambda search: Evolution(search, settings).run())


class Evolution:
    """The candidates that joined, and the rows that come next."""

    def __init__(self, search: Search, settings: GepaSettings) -> None:
        self.search = search
        self.settings = settings
        self.order = random.Random(settings.seed)
        self.dev = mixed(search.task.dev, self.order)
        self.train = mixed(search.task.train, self.order)
        given = search.candidates[0]
        each = settings.calls // (16 * search.cost(given, 1))
        self.scored_on = self.dev[: max(FEWEST, each)]
        self.joined = [given.number]
        self.place = 0
        self.turns = dict.fromkeys([given.number], 0)
        self.merged: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Rewrite and merge until the calls are nearly made."""
        search = self.search
        search.score(search.candidates[0], self.scored_on)
        keep = round(LAST * self.settings.calls)
        fruitless = 0
        while search.purse.left > keep and fruitless < 8:
            joined = len(self.joined)
            if joined > 1 and joined % MERGE_EVERY == 0:
                self.merge()
            made = self.rewrite()
            fruitless = 0 if made else fruitless + 1
        finish(search, self.dev)

    def front(self) -> dict[int, int]:
        """The Pareto front of those that joined."""
        return front(
            {
                number: [mark.score for mark in self.search.scored(self.at(number)).marks]
                for number in self.joined
            }
        )

    def at(self, number: int) -> Candidate:
        return self.search.candidates[number]

    def rewrite(self) -> bool:
        """Rewrite a prompt of a candidate of the front; whether there was anything to rewrite."""
        parent = self.at(drawn(self.front(), self.order))
        names = list(parent.program.prompts)
        turn = self.turns.get(parent.number, 0)
        self.turns[parent.number] = turn + 1
        name = names[turn % len(names)]
        rows = [
            self.train[(self.place + step) % len(self.train)] for step in range(self.settings.rows)
        ]
        self.place += len(rows)
        before = self.search.run_on(parent, rows)
        if all(score == 1 for score in before.scores):
            return False
        prompt = parent.program.prompts[name]
        told = {
            "step": step_of(prompt.signature),
            "current": prompt.signature.instruction,
            "cases": cases(prompt, name, before.marks),
        }
        (text,) = propose(self.search, REWRITE, [told], repeat=turn)
        if not text:
            return False
        made = self.search.add(
            instructed(parent.program, name, text), parent.number, f"{name} from feedback"
        )
        if sum(differences(self.search.run_on(made, rows), before)) > 0:
            self.join(made)
        return True

    def join(self, made: Candidate) -> None:
        """Score a candidate, and let it be drawn."""
        if made.number not in self.joined:
            self.search.score(made, self.scored_on)
            self.joined.append(made.number)

    def merge(self) -> None:
        """Merge the two best of the front; the child joins if it does as well on half the rows."""
        counts = self.front()
        best = sorted(counts, key=lambda number: -counts[number])[:2]
        if len(best) < 2 or tuple(best) in self.merged:
            return
        self.merged.add((best[0], best[1]))
        one, other = self.at(best[0]), self.at(best[1])
        program = self.both(one.program, other.program)
        made = self.search.add(program, one.number, f"merged with {other.number}")
        rows = self.scored_on[: max(1, len(self.scored_on) // 2)]
        found = self.search.run_on(made, rows)
        before = [self.search.run_on(each, rows) for each in (one, other)]
        if all(sum(differences(found, each)) >= 0 for each in before):
            self.join(made)

    def both(self, one: Program, other: Program) -> Program:
        """A program with what either has found out: the prompt that was changed, or both in one."""
        given = self.at(0).program
        for name, prompt in one.prompts.items():
            own, its = prompt.signature.instruction, other.prompts[name].signature.instruction
            start = given.prompts[name].signature.instruction
            if own in (its, start):
                one = instructed(one, name, its)
            elif its != start:
                told = {"step": step_of(prompt.signature), "instructions": f"{own}\n\n{its}"}
                (text,) = propose(self.search, MERGE, [told])
                one = instructed(one, name, text or own)
        return one
