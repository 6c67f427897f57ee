"""The worlds as Afina's tasks, programs and language models, and what a program is worth there."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from afina.errors import CallError
from afina.hard.prompt import Prompt
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.program.program import Program
from afina.program.running import traces_of
from afina.program.steps import Steps
from afina.program.trace import Trace
from afina.solver import Values
from afina.task.example import Example
from afina.task.metrics import metric_named
from afina.task.sealed import SealedSplit
from afina.task.signature import Signature
from afina.task.splits import Manifest
from afina.task.task import Task
from tests.worlds.archive import Archive
from tests.worlds.desk import QUEUES, Desk
from tests.worlds.ledger import MARKS, Ledger
from tests.worlds.simulated import Simulated
from tests.worlds.world import Row, Turns, World

WORLDS: dict[str, Callable[[int], World]] = {"desk": Desk, "ledger": Ledger, "archive": Archive}
CHOICES = {"queue": QUEUES, "mark": MARKS}


def turns_of(request: Request) -> Turns:
    """A request's turns as a world reads them."""
    return tuple((each.role, each.content) for each in request.messages)


@dataclass
class WorldLM:
    """A simulated model as a language model; ``fail`` says which call, from 0 on, gets no reply."""

    model: Simulated
    fail: Callable[[int], bool] = lambda number: False
    pause: float = 0.0  # seconds a reply takes
    asked: list[Request] = field(default_factory=list)

    @property
    def identity(self) -> Mapping[str, str]:
        return {
            "provider": "simulated",
            "name": self.model.world.name,
            "digest": f"{self.model.seed}",
        }

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return len(self.asked)

    def most(self, request: Request) -> Reply:
        words = sum(len(each.content.split()) for each in request.messages)
        return Reply("", read=words, written=request.max_tokens, cost=0.0)

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        number = len(self.asked) - 1
        await asyncio.sleep(self.pause)
        if self.fail(number):
            raise CallError("expected an answer, the model is out")
        salt = json.dumps([request.temperature, request.repeat, request.seed])
        text = self.model.says(turns_of(request), salt)
        read = sum(len(each.content.split()) for each in request.messages)
        return Reply(text, read=read, written=len(text.split()), cost=0.0)

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Oracle(WorldLM):
    """Answers rightly, and notes how likely that was by the last turn's text."""

    shares: dict[str, float] = field(default_factory=dict)

    async def answer(self, request: Request) -> Reply:
        text, share = self.model.oracle(turns_of(request))
        self.shares[request.messages[-1].content] = share
        return Reply(text, cost=0.0)


def signatures(world: World) -> dict[str, Signature]:
    """The signature of each prompt."""
    found = {}
    for stage, (inputs, output) in world.stages.items():
        labels = " | ".join(CHOICES.get(output, ()))
        text = f"{', '.join(inputs)} -> {output}{': ' + labels if labels else ''}"
        found[stage] = Signature.parse(text, world.instructions[stage])
    return found


def program_of(world: World) -> Program:
    """The world's program with nothing found yet."""
    own = signatures(world)
    prompts = {stage: Prompt.of(signature) for stage, signature in own.items()}
    if isinstance(world, Archive):
        first, last = own["search"], own["tell"]
        whole = Signature(first.inputs, last.outputs, last.instruction)

        def flow(steps: Steps, values: Values) -> Values:
            question = str(values["question"])
            query = steps("search", question=question)["query"]
            notes = world.lookup(question, str(query))
            return steps("tell", question=question, notes=notes)

        return Program(world.name, whole, prompts, flow)

    def ask(steps: Steps, values: Values) -> Values:
        return steps.ask("predict", values)

    return Program(world.name, own["predict"], prompts, ask)


def example_of(row: Row) -> Example:
    return Example.of(dict(row.inputs), dict(row.outputs))


def task_of(world: World, train: int = 60, dev: int = 100, test: int = 1) -> Task:
    """The world's task; what is held out is scored by `worth`, not by drawing."""
    splits = {
        name: tuple(map(example_of, world.rows(name, count)))
        for name, count in (("train", train), ("dev", dev), ("test", test))
    }
    manifest = Manifest.of(splits, 0, {})
    return Task(
        name=world.name,
        signature=program_of(world).signature,
        metric=metric_named("accuracy" if world.target in CHOICES else "exact-match"),
        train=splits["train"],
        dev=splits["dev"],
        test=SealedSplit(splits["test"], manifest.digest),
        manifest=manifest,
        digest=manifest.digest,
    )


def shuffled(task: Task, seed: int) -> Task:
    """The task with its answers dealt out anew, so that inputs tell nothing of them."""
    import random

    def dealt(rows: Sequence[Example], split: str) -> tuple[Example, ...]:
        outputs = [row.outputs for row in rows]
        random.Random(f"{seed} {split}").shuffle(outputs)
        return tuple(Example.of(row.inputs, out) for row, out in zip(rows, outputs, strict=True))

    return replace(task, train=dealt(task.train, "train"), dev=dealt(task.dev, "dev"))


def worth(program: Program, world: World, rows: int = 300) -> float:
    """A program's exact expected score over held-out rows: every step right, by its chance."""
    held_out = world.rows("held out", rows)
    oracle = Oracle(Simulated(world))
    traces = traces_of(program, [row.inputs for row in held_out], oracle)
    total = 0.0
    for trace, row in zip(traces, held_out, strict=True):
        assert trace.outputs == row.outputs, (trace, row)
        total += product(oracle, program, trace)
    return total / rows


def product(oracle: Oracle, program: Program, trace: Trace) -> float:
    """How likely all steps of a trace were right."""
    share = 1.0
    for turn in trace.turns:
        share *= oracle.shares[program.prompts[turn.prompt].turn(turn.inputs).content]
    return share


def feedback_of(world: World) -> Callable[[Example, Trace], str]:
    """The world's written feedback on a trace."""

    def told(example: Example, trace: Trace) -> str:
        row = Row(dict(example.inputs), dict(example.outputs))  # type: ignore[arg-type]
        steps = {
            turn.prompt: str((turn.outputs or {}).get(world.stages[turn.prompt][1], ""))
            for turn in trace.turns
        }
        return world.feedback(row, steps)

    return told
