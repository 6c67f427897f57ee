"""Racing: new prompts out of the leader's failures, raced against it on pairs of dev.

Ours. A round runs the leader on a few rows of train. What failed is dealt out to several writers,
each of which sees little and finds out something; another merges what they wrote. Beside it stand
sets of examples: rows that came out right, and rows that failed as they are labelled. All race
against the leader on the same rows of dev, by bounds of the paired difference, in steps; no pair of
a prompt and an example is asked twice, and a tie goes to the shorter prompt. A kind of change that
loses sits out the next rounds, the longer the more often it lost.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from afina.hard.prompt import Prompt
from afina.lm.lm import LM
from afina.program.evidence import known_rows, told
from afina.program.found import Found
from afina.program.gathering import drawn_sets, inputs_of, mixed, some
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
from afina.program.race import AHEAD, lead, race
from afina.program.scored import Mark
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from afina.solver import Value
from afina.task.example import Example
from afina.task.task import Task

HAND = 4  # failures that one writer sees, half as many as rows of the first round
WRITERS = 4  # in a round, at most
SETS, CALLS_A_SET = 4, 100  # of examples in the first round: at most, and one in so many calls
IDLE = 4  # rounds without anything new, after which it ends
RIGHT = 1.0  # score from which an example is no failure
FEWEST, MOST = 8, 16  # rows of a round
ROUND = 0.35  # of the calls left, that a race may take


@dataclass(frozen=True)
class RacingSettings:
    """How many examples a prompt shows, and what may be spent."""

    shots: int = 16  # examples a prompt shows at most
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
        self.place = 0  # in train, of the next row to run
        self.number = 0  # of the round
        self.losses = {"instruction": 0, "examples": 0}
        self.rests = {"instruction": 0, "examples": 0}

    def run(self) -> None:
        """Rounds until no calls are left, or nothing new comes up."""
        self.search.leader = self.leader
        self.begin()
        idle = 0
        while idle < IDLE:
            idle = 0 if self.round() else idle + 1

    def begin(self) -> None:
        """The first round: what train shows before anything has failed."""
        rows = self.train[: HAND * WRITERS * 2]
        marks = known_rows(self.search, self.leader, rows[: 2 * self.rows])
        self.keep_right(marks)
        rows = rows[: 2 * self.rows] if marks else rows
        hands = [rows[start : start + 2 * HAND] for start in range(0, len(rows), 2 * HAND)]
        evidence = {
            name: [told(self.leader, name, hand, marks) for hand in hands]
            for name in self.leader.program.prompts
        }
        good = list(self.good.values())
        sets = [
            drawn_sets(
                self.leader.program,
                good,
                self.train,
                shots=self.settings.shots,
                order=self.order,
            )
            for _ in range(max(1, min(SETS, self.settings.calls // CALLS_A_SET)))
        ]
        made = [self.added(showing(self.leader.program, shown), "examples") for shown in sets]
        instruction = self.added(self.rewritten(evidence), "instruction")
        self.settle(instruction, [each for each in made if each is not None])

    def round(self) -> bool:
        """One round out of the leader's failures; whether there was anything to race or at rest."""
        self.number += 1
        if min(self.rests.values()) > 0:
            self.rests = dict.fromkeys(self.rests, 0)
        failures = self.failures()
        instruction, examples = None, []
        resting = {kind for kind in self.rests if self.resting(kind)}
        if "instruction" not in resting and failures:
            instruction = self.added(self.rewritten(self.evidence(failures)), "instruction")
        if "examples" not in resting:
            made = self.added(self.shown(failures), "examples")
            examples = [] if made is None else [made]
        self.settle(instruction, examples)
        return instruction is not None or bool(examples) or bool(resting)

    def resting(self, kind: str) -> bool:
        """Whether a kind of change sits this round out."""
        self.rests[kind] -= 1
        return self.rests[kind] >= 0

    def settle(self, instruction: Candidate | None, examples: Sequence[Candidate]) -> None:
        """Race what is new; where both kinds gained, what they give together as well."""
        before = self.leader
        self.raced([*([instruction] if instruction else []), *examples])
        if instruction is not None:
            self.noted("instruction", won=self.leader.number == instruction.number)
        if examples:
            self.noted("examples", won=self.leader in examples)
        if instruction is None or not examples or self.leader.number == before.number:
            return
        rows = self.search.dev[instruction.number]
        if lead(self.search, instruction, before, rows) < AHEAD:
            return
        scores = {each.number: self.search.scored(each).mean or 0.0 for each in examples}
        best = max(examples, key=lambda each: (scores[each.number], -each.number))
        best = self.leader if self.leader in examples else best
        both = self.joined(instruction, best)
        self.raced([both] if both is not None else [])

    def noted(self, kind: str, *, won: bool) -> None:
        """Remember whether a kind of change won, and let one that lost rest."""
        self.losses[kind] = 0 if won else self.losses[kind] + 1
        self.rests[kind] = 0 if won else min(4, self.losses[kind] - 1)

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
        """Run the leader on the next rows of train; all it is known to fail, in another order."""
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
        rows = [row for row in rows if row.id not in shown]
        self.keep_right(self.search.run_on(self.leader, rows).marks)
        known = [self.search.known(self.leader, row) for row in self.train if row.id not in shown]
        marks = [mark for mark in known if mark and mark.score is not None and mark.score < RIGHT]
        return self.order.sample(marks, len(marks))

    def keep_right(self, marks: Sequence[Mark]) -> None:
        """Keep what came out right, to be shown as examples."""
        for mark in marks:
            if mark.score is not None and mark.score >= RIGHT:
                self.good[mark.example.id] = mark

    def evidence(self, failures: Sequence[Mark]) -> dict[str, list[str]]:
        """Failures of each prompt, dealt out."""
        hands = [failures[start : start + HAND] for start in range(0, len(failures), HAND)]
        return {
            name: [text for hand in hands[:WRITERS] if (text := cases(prompt, name, hand))]
            for name, prompt in self.leader.program.prompts.items()
        }

    def added(self, program: Program | None, how: str) -> Candidate | None:
        """A new candidate made from the leader; None where it is not new."""
        if program is None:
            return None
        count = len(self.search.candidates)
        made = self.search.add(program, self.leader.number, how)
        return made if len(self.search.candidates) > count else None

    def rewritten(self, evidence: Mapping[str, Sequence[str]]) -> Program:
        """The leader with instructions that writers made of evidence, merged."""
        program = self.leader.program
        for name, prompt in self.leader.program.prompts.items():
            step, current = step_of(prompt.signature), prompt.signature.instruction
            rows = [
                {"step": step, "current": current, "cases": text} for text in evidence[name] if text
            ]
            written = [text for text in self.written(REWRITE, rows) if text]
            if len(written) > 1:
                parts = {"step": step, "instructions": "\n\n".join(written)}
                written = [text for text in self.written(MERGE, [parts]) if text] or written
            if written:
                program = instructed(program, name, written[0])
        return program

    def written(self, prompt: Prompt, rows: Sequence[Mapping[str, Value]]) -> list[str]:
        """What writers write, another text each round."""
        return propose(self.search, prompt, rows, repeat=self.number)

    def shown(self, failures: Sequence[Mark]) -> Program | None:
        """The leader with other examples: some of its own, new right rows, and some failures."""
        shown: dict[str, list[Example]] = {}
        failed = [mark.example for mark in failures]
        for name, prompt in self.leader.program.prompts.items():
            own = list(prompt.demonstrations)
            right = turns_shown(self.leader.program, list(self.good.values()), name)
            known = {inputs_of(each) for each in own}
            fresh = [each for each in right if inputs_of(each) not in known]
            wrong = some(labelled(prompt, failed), len(failed), self.order)
            shots = self.settings.shots
            kept = self.order.sample(own, min(len(own), max(0, shots - max(2, shots // 3))))
            room = shots - len(kept)
            added = wrong[: (room + 1) // 2]
            added += some(fresh, room - len(added), self.order)
            added += wrong[(room + 1) // 2 :][: room - len(added)]
            shown[name] = [*kept, *added]
        return showing(self.leader.program, shown) if any(shown.values()) else None

    def joined(self, instruction: Candidate, examples: Candidate) -> Candidate | None:
        """The instructions of one with the examples of the other."""
        shown = {name: prompt.demonstrations for name, prompt in examples.program.prompts.items()}
        return self.added(showing(instruction.program, shown), "instruction and examples")
