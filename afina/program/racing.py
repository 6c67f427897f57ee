"""Racing: new prompts out of the leader's failures, raced against it on pairs of dev.

Ours. A round runs the leader on a few rows of train. What failed is dealt out to several writers,
each of which sees little and finds out something; another merges what they wrote. Beside it stand
sets of examples: rows that came out right, and rows that failed as they are labelled. All race
against the leader on the same rows of dev, by bounds of the paired difference, in steps; no pair of
a prompt and an example is asked twice, and a tie goes to the shorter prompt. A kind of change that
loses sits out the next rounds, the longer the more often it lost.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from afina.lm.lm import LM
from afina.program.found import Found
from afina.program.gathering import in_turn, inputs_of, mixed
from afina.program.program import Program
from afina.program.proposals import MERGE, REWRITE
from afina.program.proposing import (
    cases,
    instructed,
    labelled,
    propose,
    showing,
    step_of,
    turns_shown,
)
from afina.program.race import race
from afina.program.scored import Mark
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from afina.task.example import Example
from afina.task.task import Task

HAND = 4  # failures that one writer sees
WRITERS = 4  # in a round, at most
RIGHT = 1.0  # score from which an example is no failure
FEWEST, MOST = 8, 24  # rows of a round
ROUND = 0.35  # of the calls left, that a race may take


@dataclass(frozen=True)
class RacingSettings:
    """How many examples a prompt shows, and what may be spent."""

    shots: int = 8  # examples a prompt shows at most
    calls: int = 400  # calls of language models at most
    seed: int = 0


def racing(
    program: Program,
    task: Task,
    lm: LM,
    settings: RacingSettings = RacingSettings(),
    means: Means = BY_ITSELF,
) -> Found:
    """The program that leads when the calls are made.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    return search.run(lambda search: Racing(search, settings).run())


class Racing:
    """The rounds of a search by racing."""

    def __init__(self, search: Search, settings: RacingSettings) -> None:
        self.search = search
        self.settings = settings
        self.order = random.Random(settings.seed)
        self.train = mixed(search.task.train, self.order)
        self.dev = mixed(search.task.dev, self.order)
        per_row = len(search.candidates[0].program.prompts)
        self.rows = max(FEWEST, min(MOST, settings.calls // (16 * per_row)))
        self.leader = search.candidates[0]
        self.good: dict[str, Mark] = {}  # by example, of whichever candidate was right
        self.place = 0
        self.losses = {"instruction": 0, "examples": 0}
        self.rests = {"instruction": 0, "examples": 0}

    def run(self) -> None:
        """Rounds until no calls are left, or nothing new comes up."""
        idle = 0
        while idle < 4:
            self.search.leader = self.leader
            changed = self.round()
            idle = 0 if changed else idle + 1
        self.search.leader = self.leader

    def round(self) -> bool:
        """One round; whether there was anything to race."""
        failures = self.failures()
        challengers: dict[str, Candidate] = {}
        for kind, make in (("instruction", self.rewritten), ("examples", self.shown)):
            if self.rests[kind]:
                self.rests[kind] -= 1
            elif (made := self.added(make(failures), kind)) is not None:
                challengers[kind] = made
        before = self.leader
        self.raced(list(challengers.values()))
        for kind, each in challengers.items():
            won = self.leader.number == each.number
            self.losses[kind] = 0 if won else self.losses[kind] + 1
            self.rests[kind] = 0 if won else min(4, self.losses[kind] - 1)
        if len(challengers) == 2 and self.leader.number != before.number:
            both = self.joined(challengers["instruction"], challengers["examples"])
            self.raced([both] if both is not None else [])
        return bool(challengers)

    def raced(self, challengers: Sequence[Candidate]) -> None:
        """Let challengers race against the leader."""
        self.leader = race(
            self.search,
            self.leader,
            challengers,
            self.dev,
            first=self.rows,
            calls=max(self.rows * 4, round(ROUND * self.search.purse.left)),
        )
        self.search.leader = self.leader

    def failures(self) -> list[Mark]:
        """Run the leader on the next rows of train; those that failed, what was right is kept."""
        shown = {
            example.group or example.id
            for prompt in self.leader.program.prompts.values()
            for example in prompt.demonstrations
        }
        rows = [
            self.train[(self.place + step) % len(self.train)]
            for step in range(min(self.rows, len(self.train)))
        ]
        self.place += len(rows)
        marks = self.search.run_on(self.leader, [row for row in rows if row.id not in shown]).marks
        for mark in marks:
            if mark.score is not None and mark.score >= RIGHT:
                self.good[mark.example.id] = mark
        return [mark for mark in marks if mark.score is not None and mark.score < RIGHT]

    def added(self, program: Program | None, how: str) -> Candidate | None:
        """A new candidate made from the leader; None where it is not new."""
        if program is None:
            return None
        count = len(self.search.candidates)
        made = self.search.add(program, self.leader.number, how)
        return made if len(self.search.candidates) > count else None

    def rewritten(self, failures: Sequence[Mark]) -> Program | None:
        """The leader with instructions that writers made of failures."""
        if not failures:
            return None
        program = self.leader.program
        hands = [failures[start : start + HAND] for start in range(0, len(failures), HAND)]
        for name, prompt in self.leader.program.prompts.items():
            own = prompt.signature
            dealt = [text for hand in hands[:WRITERS] if (text := cases(prompt, name, hand))]
            rows = [
                {"step": step_of(own), "current": own.instruction, "cases": text} for text in dealt
            ]
            written = [text for text in propose(self.search, REWRITE, rows) if text]
            if len(written) > 1:
                told = {"step": step_of(own), "instructions": "\n\n".join(written)}
                written = [text for text in propose(self.search, MERGE, [told]) if text]
            if written:
                program = instructed(program, name, written[0])
        return program

    def shown(self, failures: Sequence[Mark]) -> Program | None:
        """The leader with other examples: some of its own, new right rows, and some failures."""
        shown: dict[str, list[Example]] = {}
        failed = [mark.example for mark in failures]
        for name, prompt in self.leader.program.prompts.items():
            own = list(prompt.demonstrations)
            right = turns_shown(self.leader.program, list(self.good.values()), name)
            known = {inputs_of(each) for each in own}
            fresh = [each for each in right if inputs_of(each) not in known]
            wrong = in_turn(labelled(prompt, failed), prompt.signature, 99, self.order)
            shots = self.settings.shots
            kept = self.order.sample(own, min(len(own), max(0, shots - max(2, shots // 3))))
            room = shots - len(kept)
            added = wrong[: (room + 1) // 2]
            added += in_turn(fresh, prompt.signature, room - len(added), self.order)
            added += wrong[(room + 1) // 2 :][: room - len(added)]
            shown[name] = [*kept, *added]
        return showing(self.leader.program, shown) if any(shown.values()) else None

    def joined(self, instruction: Candidate, examples: Candidate) -> Candidate | None:
        """The instructions of one with the examples of the other."""
        shown = {name: prompt.demonstrations for name, prompt in examples.program.prompts.items()}
        return self.added(showing(instruction.program, shown), "instruction and examples")
