"""DSPy's side of the optimisers benchmark: its optimisers in a world, and their best so far.

Runs in an environment that has DSPy and optuna: ``PYTHON -m benchmarks.optimisers_peers OPTIMISER
WORLD SEEDS CALLS``. Prints a JSON object a seed: what the best program so far is worth after each
number of calls, and at the end. Whatever an optimiser has scored on all of dev counts, and where it
has scored nothing else on all of it, what it scored on part.
"""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Literal

import dspy
from dspy.evaluate.evaluate import Evaluate

from tests.worlds.archive import Archive
from tests.worlds.desk import QUEUES, Desk
from tests.worlds.ledger import MARKS, Ledger
from tests.worlds.simulated import Simulated
from tests.worlds.world import Row, Turns, World

WORLDS: dict[str, Callable[[int], World]] = {"desk": Desk, "ledger": Ledger, "archive": Archive}
CHOICES = {"queue": QUEUES, "mark": MARKS}
TRAIN, DEV, HELD_OUT = 60, 100, 300


class Spent(Exception):  # noqa: N818  an event, not a fault
    """No call is left."""


class PeerLM(dspy.BaseLM):  # type: ignore[misc]
    """A simulated model for DSPy, which stops at a number of different requests."""

    def __init__(self, model: Simulated, cap: int) -> None:
        super().__init__("simulated", temperature=0.0, max_tokens=1000, cache=False)
        self.simulated = model
        self.cap = cap
        self.seen: set[str] = set()
        self.lock = threading.Lock()

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        turns = turns_of(messages or [{"role": "user", "content": prompt}])
        settings = {**self.kwargs, **kwargs}
        salt = json.dumps({name: str(settings.get(name)) for name in ("temperature", "rollout_id")})
        with self.lock:
            key = json.dumps([turns, salt])
            if key not in self.seen:
                if len(self.seen) >= self.cap:
                    raise Spent(f"{self.cap} calls")
                self.seen.add(key)
        count = int(settings.get("n") or 1)
        texts = [self.simulated.says(turns, f"{salt}{number or ''}") for number in range(count)]
        return response(texts)


class OracleLM(dspy.BaseLM):  # type: ignore[misc]
    """Answers rightly and multiplies how likely that was."""

    def __init__(self, model: Simulated) -> None:
        super().__init__("oracle", temperature=0.0, max_tokens=1000, cache=False)
        self.simulated = model
        self.share = 1.0

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        text, share = self.simulated.oracle(turns_of(messages))
        self.share *= share
        return response([text])


def turns_of(messages: Sequence[Mapping[str, Any]]) -> Turns:
    """Messages as turns; DSPy may write a text as a list of parts."""
    return tuple((each["role"], plain(each["content"])) for each in messages)


def plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def response(texts: Sequence[str]) -> SimpleNamespace:
    """Texts in the shape of OpenAI's answers."""
    choices = [
        SimpleNamespace(
            message=SimpleNamespace(content=text, tool_calls=None), finish_reason="stop"
        )
        for text in texts
    ]
    return SimpleNamespace(choices=choices, usage={}, model="simulated")


def signature(world: World, stage: str) -> Any:
    """A stage's signature in DSPy."""
    inputs, output = world.stages[stage]
    kind = Literal[CHOICES[output]] if output in CHOICES else str
    fields = {name: (str, dspy.InputField()) for name in inputs}
    return dspy.Signature({**fields, output: (kind, dspy.OutputField())}, world.instructions[stage])


class Single(dspy.Module):  # type: ignore[misc]
    """A program of one prompt."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.predict = dspy.Predict(signature(world, "predict"))

    def forward(self, **inputs: str) -> Any:
        return self.predict(**inputs)


class Double(dspy.Module):  # type: ignore[misc]
    """The archive's program."""

    def __init__(self, world: Archive) -> None:
        super().__init__()
        self.search = dspy.Predict(signature(world, "search"))
        self.tell = dspy.Predict(signature(world, "tell"))
        self.seed = world.seed

    def forward(self, question: str) -> Any:
        query = self.search(question=question).query
        notes = Archive(self.seed).lookup(question, str(query))
        answer = self.tell(question=question, notes=notes).answer
        return dspy.Prediction(answer=answer, query=query)


def program_of(world: World) -> Any:
    return Double(world) if isinstance(world, Archive) else Single(world)


def example_of(row: Row) -> Any:
    return dspy.Example(**row.inputs, **row.outputs).with_inputs(*row.inputs)


def metric_of(world: World) -> Callable[..., float]:
    """Whether the target is right."""

    def metric(example: Any, prediction: Any, trace: Any = None) -> float:
        return float(str(prediction.get(world.target, "")).strip() == example[world.target])

    return metric


def feedback_of(world: World) -> Callable[..., Any]:
    """The same with the world's words, as GEPA takes it."""
    score = metric_of(world)

    def metric(
        gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        names = list(world.stages)
        target = str(pred.get(world.target, ""))
        steps = {names[-1]: target, names[0]: target if len(names) == 1 else pred.get("query", "")}
        inputs = {name: gold[name] for name in gold.inputs()}
        row = Row(inputs, {world.target: gold[world.target]})
        return dspy.Prediction(score=score(gold, pred), feedback=world.feedback(row, steps))

    return metric


class Log:
    """What was scored, after how many calls."""

    def __init__(self, lm: PeerLM, given: Any) -> None:
        self.lm = lm
        self.entries: list[tuple[int, float, int, Any]] = [(0, -1.0, 0, given)]

    def best(self, calls: int) -> Any:
        """The best program once so many calls were made."""
        there = [each for each in self.entries if each[0] <= calls]
        whole = [each for each in there if each[2] >= DEV]
        if len(whole) > 1:
            return max(whole, key=lambda each: each[1])[3]
        return max(there, key=lambda each: each[1])[3]


def logging_evaluations(log: Log) -> Callable[[], None]:
    """Note each evaluation that came to its end; gives what undoes it."""
    plain_call = Evaluate.__call__

    def call(self: Any, program: Any, metric: Any = None, devset: Any = None, **rest: Any) -> Any:
        result = plain_call(self, program, metric, devset, **rest)
        rows = len(devset if devset is not None else self.devset)
        if len(log.lm.seen) < log.lm.cap and rows > 3:
            log.entries.append((len(log.lm.seen), float(result.score), rows, program.deepcopy()))
        return result

    Evaluate.__call__ = call

    def undo() -> None:
        Evaluate.__call__ = plain_call

    return undo


def compiled(optimiser: str, world: World, seed: int, lm: PeerLM, calls: int) -> Any:
    """Run an optimiser with its defaults."""
    train, dev = ([example_of(row) for row in world.rows(*each)] for each in SPLITS)
    student, metric = program_of(world), metric_of(world)
    match optimiser:
        case "random-search":
            made = dspy.BootstrapFewShotWithRandomSearch(metric=metric, num_threads=1)
            return made.compile(student, trainset=mixed(train, seed), valset=dev)
        case "copro":
            made = dspy.COPRO(metric=metric)
            return made.compile(student, trainset=dev, eval_kwargs={"num_threads": 1})
        case "mipro":
            made = dspy.MIPROv2(metric=metric, auto="light", seed=seed, num_threads=1)
            return made.compile(student, trainset=train, valset=dev)
        case "gepa" | "gepa-light":
            size = {"auto": "light"} if optimiser == "gepa-light" else {"max_metric_calls": calls}
            made = dspy.GEPA(
                metric=feedback_of(world), reflection_lm=lm, seed=seed, num_threads=1, **size
            )
            return made.compile(student, trainset=train, valset=dev)
    raise SystemExit(f"no optimiser {optimiser!r}")


SPLITS = (("train", TRAIN), ("dev", DEV))


def mixed(rows: list[Any], seed: int) -> list[Any]:
    import random

    return random.Random(seed).sample(rows, len(rows))


def worth(program: Any, world: World) -> float:
    """A program's exact expected score over held-out rows."""
    oracle, total = OracleLM(Simulated(world)), 0.0
    with dspy.context(lm=oracle):
        for row in world.rows("held out", HELD_OUT):
            oracle.share = 1.0
            said = program(**row.inputs)
            said = said[0] if isinstance(said, tuple) else said  # where it kept its trace
            assert str(said[world.target]) == row.outputs[world.target], (said, row)
            total += oracle.share
    return total / HELD_OUT


def measure(optimiser: str, name: str, seed: int, caps: Sequence[int]) -> dict[str, object]:
    """One run: what its best program so far is worth at each number of calls, and at its end."""
    world = WORLDS[name](seed)
    lm = PeerLM(Simulated(world, seed), 10**6 if optimiser == "gepa-light" else max(caps))
    log = Log(lm, program_of(world))
    undo = logging_evaluations(log)
    dspy.configure(lm=lm)
    final = None
    try:
        final = compiled(optimiser, world, seed, lm, max(caps))
    except Exception as error:
        if len(lm.seen) < lm.cap:
            raise
        print(f"stopped: {error.__class__.__name__}", file=sys.stderr)
    finally:
        undo()
    at = {str(cap): worth(log.best(cap), world) for cap in caps}
    whole = len(lm.seen) < lm.cap and final is not None
    end = worth(final, world) if whole else worth(log.best(10**9), world)
    return {"seed": seed, "at": at, "end": end, "calls": len(lm.seen)}


def main(arguments: Sequence[str]) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    optimiser, name, seeds, caps = arguments
    for seed in range(int(seeds)):
        found = measure(optimiser, name, seed, [int(cap) for cap in caps.split(",")])
        print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
