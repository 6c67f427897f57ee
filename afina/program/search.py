"""A search for a better program: what was tried so far, how it scored, and what it took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from afina.errors import AfinaError, BudgetError, CallError
from afina.hard.prompt_solver import CallSettings
from afina.lm.lm import LM, ask
from afina.lm.reply import Missing
from afina.lm.request import Message, Request
from afina.program.counted import Counted, Purse
from afina.program.found import Ended, Found, flattery
from afina.program.judge import Judge, judge_of, judged
from afina.program.program import Program
from afina.program.running import traces_of
from afina.program.scored import Mark, Scored
from afina.program.trace import Trace
from afina.program.trial import Trial, size_of
from afina.task.example import Example
from afina.task.task import Task

FAILED = 0.1  # of a batch's calls; with more of them the model may be out
PING = "Are you there?"


@dataclass(frozen=True)
class Means:
    """What a search works with beside the model: who proposes, teaches and judges, who is told.

    Left out, the model itself proposes and teaches, the task's metric judges, and nobody is told.
    ``stop`` gives the error to end with where somebody wants an end.
    """

    proposer: LM | None = None
    teacher: LM | None = None
    judge: Judge | None = None
    calls: CallSettings = field(default_factory=CallSettings)
    show: Callable[["Search"], None] = lambda search: None
    stop: Callable[[], AfinaError | None] = lambda: None


BY_ITSELF = Means()


@dataclass(frozen=True)
class Candidate:
    """A program that is tried, and where it comes from."""

    number: int
    parent: int | None
    how: str
    program: Program = field(repr=False)
    digest: str
    size: int


class Search:
    """Candidates with their marks; it asks each pair of a program and an example once.

    Pure in the seed and the model's replies: it keeps no time, and what is journalled replays.
    """

    def __init__(self, program: Program, task: Task, lm: LM, means: Means, *, calls: int) -> None:
        self.task = task
        self.means = means
        self.purse = Purse(calls)
        self.lm = Counted(lm, self.purse)
        self.proposer = self.lm if means.proposer is None else Counted(means.proposer, self.purse)
        self.teacher = None if means.teacher is None else Counted(means.teacher, self.purse)
        self.judge = means.judge or judge_of(task)
        self.marks: dict[tuple[str, str], Mark] = {}
        self.candidates: list[Candidate] = []
        self.dev: dict[int, list[Example]] = {}  # what each candidate was scored on
        self.calls: dict[int, int] = {}
        self.notes: list[str] = []
        self.leader: Candidate | None = None  # where a search settles who leads by itself
        self.add(program, None, "as given")

    def add(self, program: Program, parent: int | None, how: str) -> Candidate:
        """A candidate of a program; the one that is there already where it is the same."""
        digest = program.digest
        for each in self.candidates:
            if each.digest == digest:
                return each
        number = len(self.candidates)
        found = Candidate(number, parent, how, program, digest, size_of(program.prompts))
        self.candidates.append(found)
        self.dev[number] = []
        return found

    def run_on(self, candidate: Candidate, examples: Sequence[Example]) -> Scored:
        """A candidate's marks on examples; only those not known yet are asked.

        Raises:
            BudgetError: no calls are left.
            CallError: so many calls failed that the model must be out.
            InputError: the judge failed.
        """
        new = [each for each in examples if (candidate.digest, each.id) not in self.marks]
        for mark in self.asked(candidate.program, new, self.lm):
            self.marks[candidate.digest, mark.example.id] = mark
        return Scored(tuple(self.marks[candidate.digest, each.id] for each in examples))

    def known(self, candidate: Candidate, example: Example) -> Mark | None:
        """A candidate's mark on an example, if it was run on it."""
        return self.marks.get((candidate.digest, example.id))

    def taught(self, candidate: Candidate, examples: Sequence[Example]) -> Scored:
        """The teacher's marks on examples with a candidate; its own where there is no teacher."""
        if self.teacher is None:
            return self.run_on(candidate, examples)
        return Scored(tuple(self.asked(candidate.program, examples, self.teacher)))

    def asked(self, program: Program, examples: Sequence[Example], lm: LM) -> list[Mark]:
        """A mark for each example, of a run on a model."""
        if not examples:
            return []
        self.pause()
        traces = self.traces(program, examples, lm)
        failed = [each for each in traces if each.fault == "call"]
        if too_many(len(failed), len(traces)):
            self.check_there(lm, failed[0].reason)
            again = [row for row, trace in zip(examples, traces, strict=True) if trace in failed]
            new = iter(self.traces(program, again, lm))
            traces = [next(new) if trace in failed else trace for trace in traces]
            failed = [each for each in traces if each.fault == "call"]
            if program.digest == self.candidates[0].digest:
                self.check_whole(failed, len(traces))
        return [self.mark(*each) for each in zip(examples, traces, strict=True)]

    def traces(self, program: Program, examples: Sequence[Example], lm: LM) -> list[Trace]:
        """A trace for each example, of a run on a model."""
        rows = [each.inputs for each in examples]
        return traces_of(program, rows, lm, self.means.calls, words=self.task.words)

    def check_there(self, lm: LM, reason: str) -> None:
        """See that a model answers at all: if so, it is the requests that it refuses.

        Raises:
            BudgetError: no calls are left.
            CallError: it does not answer.
        """
        asked = Request((Message("user", PING),), max_tokens=4, repeat=self.purse.usage.calls)
        (reply,) = ask(lm, [asked])
        if isinstance(reply, Missing):
            raise paused(1, 1, reason)

    def check_whole(self, failed: Sequence[Trace], count: int) -> None:
        """See that few of all examples are missing with the program as given; it is the yardstick.

        Raises:
            CallError: too many are.
        """
        given = self.candidates[0].digest
        before = [mark for (digest, _), mark in self.marks.items() if digest == given]
        missing = len(failed) + sum(mark.score is None for mark in before)
        if failed and too_many(missing, count + len(before)):
            raise paused(missing, count + len(before), failed[0].reason)

    def mark(self, example: Example, trace: Trace) -> Mark:
        """What a trace is worth."""
        if trace.outputs is not None:
            found = judged(self.judge, example, trace)
            return Mark(example, found.score, found.text, trace)
        score = None if trace.fault == "call" else 0.0
        return Mark(example, score, f"wrong; no answer came: {trace.reason}", trace)

    def score(self, candidate: Candidate, examples: Sequence[Example]) -> Scored:
        """A candidate's marks on examples of dev, by which it is chosen."""
        found = self.run_on(candidate, examples)
        known = {each.id for each in self.dev[candidate.number]}
        self.dev[candidate.number] += [each for each in examples if each.id not in known]
        self.calls[candidate.number] = self.purse.usage.calls
        self.means.show(self)
        return found

    def pause(self) -> None:
        """End where somebody wants an end; raises what they give."""
        error = self.means.stop()
        if error is not None:
            raise error

    def scored(self, candidate: Candidate) -> Scored:
        """A candidate's marks on all of dev that it was scored on."""
        return Scored(
            tuple(self.marks[candidate.digest, each.id] for each in self.dev[candidate.number])
        )

    def cost(self, candidate: Candidate, count: int) -> int:
        """The calls that a candidate's next examples take, as its parents' took."""
        turns = [len(mark.trace.turns) for mark in self.marks.values()]
        return count * max(turns, default=len(candidate.program.prompts))

    def best(self) -> Candidate:
        """The leader; without one the candidate with the highest score on most of dev.

        Of equals it is the one with the shortest prompts, then the first.
        """
        if self.leader is not None:
            return self.leader
        there = [each for each in self.candidates if self.scored(each).mean is not None]
        if not there:
            return self.candidates[0]
        most = max(len(self.dev[each.number]) for each in there)
        return max(
            (each for each in there if len(self.dev[each.number]) == most),
            key=lambda each: (self.scored(each).mean or 0.0, -each.size, -each.number),
        )

    def trial(self, candidate: Candidate) -> Trial:
        """A candidate with its score."""
        scored = self.scored(candidate)
        low, high = scored.bounds or (None, None)
        return Trial(
            number=candidate.number,
            parent=candidate.parent,
            how=candidate.how,
            prompts=candidate.program.prompts,
            score=scored.mean,
            low=low,
            high=high,
            n=len(scored.marks),
            missing=scored.missing,
            calls=self.calls.get(candidate.number, 0),
        )

    def note(self, text: str) -> None:
        """Keep a word on something odd, once."""
        if text not in self.notes:
            self.notes.append(text)

    def run(self, work: Callable[["Search"], None]) -> Found:
        """Search until it is done or no calls are left, and give the best so far.

        Raises:
            CallError: the model is out; run again, what was answered is replayed.
            InputError: the judge failed.
        """
        ended: Ended = "done"
        try:
            work(self)
        except BudgetError:
            ended = "calls" if self.purse.refused else "budget"
        best = self.best()
        return Found(
            program=best.program,
            best=best.number,
            trials=tuple(map(self.trial, self.candidates)),
            usage=self.purse.usage,
            ended=ended,
            flattery=flattery([self.scored(each) for each in self.candidates], best.number),
            notes=tuple(self.notes),
        )


def too_many(failed: int, calls: int) -> bool:
    """Whether so many calls failed that scores would tell of the failures."""
    return failed > FAILED * calls


def paused(failed: int, calls: int, reason: str) -> CallError:
    """The error of a model that is out."""
    return CallError(
        f"the search is paused: {failed} of {calls} examples got no answer, the first because "
        f"{reason}; run it again to go on, answered calls are not paid for twice"
    )
