"""MIPRO: sets of examples and instructions, chosen together by what minibatches tell.

Opsahl-Ong et al. 2024, "Optimizing instructions and demonstrations for multi-stage language model
programs", https://arxiv.org/abs/2406.11695: sets of examples out of traces, instructions grounded
in a summary of the data, the program and examples, and a tree-structured Parzen estimator (Bergstra
et al. 2011; optuna's) over which of them each prompt takes. We differ: several hands of rows are
summed up, each by a writer of its own, and each instruction is written from all of that in another
order, so that one writer's fault is not in every instruction; an estimator's trial never pays for a
pair it has seen, and what it thinks best is scored on as many more rows as the calls allow.
"""

import random
from collections.abc import Mapping, Sequence

import optuna

from afina.lm.lm import LM
from afina.program.evidence import known_rows, told
from afina.program.found import Found
from afina.program.gathering import drawn_sets, good_marks, mixed
from afina.program.mipro_settings import USUAL, MiproSettings
from afina.program.program import Program
from afina.program.proposals import GROUNDED, HINTS, SUMMARY
from afina.program.proposing import instructed, labelled, propose, showing, step_of, wanted_cases
from afina.program.random_search import finish
from afina.program.search import BY_ITSELF, Means, Search
from afina.task.example import Example
from afina.task.task import Task

HAND = 10  # rows that a writer of a summary sees
HANDS = 8  # writers of a summary at most
BATCH = (8, 30)  # rows of a minibatch, at least and at most
GATHERED = 0.2  # of the calls, for traces to take examples from
LAST = 0.25  # of the calls, for scoring the best on more rows


def mipro(
    program: Program,
    task: Task,
    lm: LM,
    settings: MiproSettings = USUAL,
    means: Means = BY_ITSELF,
) -> Found:
    """The program with the best instructions and sets of examples together.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    return search.run(lambda search: Joint(search, settings).run())


class Joint:
    """A joint search over instructions and sets of examples of each prompt."""

    def __init__(self, search: Search, settings: MiproSettings) -> None:
        self.search = search
        self.settings = settings
        self.order = random.Random(settings.seed)
        self.train = mixed(search.task.train, self.order)
        self.dev = mixed(search.task.dev, self.order)

    def run(self) -> None:
        """Gather sets, write instructions, and search over both."""
        search, given = self.search, self.search.candidates[0]
        keep = round(self.settings.calls * (1 - GATHERED))
        good = good_marks(search, given, self.train, wanted=2 * self.settings.shots, keep=keep)
        sets = [
            dict.fromkeys(given.program.prompts, ()),
            *(
                drawn_sets(
                    given.program,
                    good if number % 3 else [],
                    self.train,
                    shots=self.settings.shots,
                    order=self.order,
                )
                for number in range(self.settings.sets - 1)
            ),
        ]
        texts = {name: self.instructions(name) for name in given.program.prompts}
        self.estimate(texts, sets)
        finish(search, self.dev)

    def instructions(self, name: str) -> list[str]:
        """The given instruction of a prompt, and others grounded in the data."""
        given = self.search.candidates[0]
        prompt = given.program.prompts[name]
        step = step_of(prompt.signature)
        hands = max(2, min(HANDS, self.settings.calls // 25))
        rows = self.train[: HAND * hands]
        marks = known_rows(self.search, given, rows[: 2 * HAND])
        rows = rows[: 2 * HAND] if marks else rows
        dealt = [rows[start : start + HAND] for start in range(0, len(rows), HAND)]
        asked = [{"step": step, "cases": told(given, name, hand, marks)} for hand in dealt]
        found = [text for text in propose(self.search, SUMMARY, asked) if text] or ["nothing"]
        flow = "\n".join(
            f"{each}: {step_of(other.signature)}" for each, other in given.program.prompts.items()
        )
        grounded = [
            {
                "step": step,
                "program": flow,
                "summary": "\n\n".join(self.order.sample(found, len(found))),
                "current": prompt.signature.instruction,
                "cases": self.some(name, number),
                "hint": HINTS[number % len(HINTS)],
            }
            for number in range(self.settings.instructions - 1)
        ]
        written = [text for text in propose(self.search, GROUNDED, grounded) if text]
        return [prompt.signature.instruction, *dict.fromkeys(written)]

    def some(self, name: str, number: int) -> str:
        """A few labelled rows, other ones for each proposal."""
        given = self.search.candidates[0]
        rows = [self.train[(3 * number + step) % len(self.train)] for step in range(3)]
        prompt = given.program.prompts[name]
        return wanted_cases(prompt, labelled(prompt, rows))

    def estimate(
        self,
        texts: Mapping[str, Sequence[str]],
        sets: Sequence[Mapping[str, Sequence[Example]]],
    ) -> None:
        """Ask the estimator for a choice, score it on a minibatch, and tell it, again and again."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.settings.seed)
        )
        search, given = self.search, self.search.candidates[0]
        keep = round(LAST * self.settings.calls)
        batch = min(len(self.dev), max(BATCH[0], min(BATCH[1], search.purse.left // 20)))
        search.score(given, self.dev[:batch])
        first = {f"{name} {what}": 0 for name in texts for what in ("instruction", "examples")}
        study.enqueue_trial(first)
        idle = 0
        while search.purse.left - search.cost(given, batch) > keep and idle < 20:
            trial = study.ask()
            program = given.program
            for name, own in texts.items():
                text = own[trial.suggest_categorical(f"{name} instruction", range(len(own)))]
                place = trial.suggest_categorical(f"{name} examples", range(len(sets)))
                program = showing(instructed(program, name, text), {name: sets[place][name]})
            count = len(search.candidates)
            made = search.add(program, 0, "instruction and examples together")
            idle = 0 if len(search.candidates) > count else idle + 1
            rows = self.dev[:batch] if idle == 0 else self.order.sample(self.dev, batch)
            mean = search.score(made, rows).mean if idle < 3 else search.scored(made).mean
            if mean is None:  # calls failed: that is no score
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, mean)
