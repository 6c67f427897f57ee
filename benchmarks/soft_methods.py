"""Every soft method beside its yardsticks on real data, three seeds; goes on where it stopped.

    python -m benchmarks soft_methods                   all comparisons, then the table
    python -m benchmarks.soft_methods wikigold faquad   some of them

Runs are kept in benchmarks/.runs/soft_methods; the table, benchmarks/soft_methods.md, keeps the
sections of comparisons that are not run again.
"""

import json
import random
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from afina import tuning
from afina.disk import Disk, replace_file
from afina.errors import InputError
from afina.evaluation.compare import Comparison, Entry, compare
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.methods import SEEDED
from afina.solver import Solver
from afina.task.example import Example
from afina.task.task import Task, load_task
from afina.training.watch import Progress, Watch
from benchmarks.machine import machine
from benchmarks.real_data import HERE, MINILM, PACKAGES, SHARED, STORIES, row_line, verdict_line
from benchmarks.stories_task import stories_task

TABLE = HERE / "soft_methods.md"
RUNS = HERE / ".runs" / "soft_methods"
SOFT = ("prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2")
TUNED = (*SOFT, "full-fine-tuning")
ALL = ("linear-probe", *TUNED)
STORYTELLER = str(SHARED / "model_babyllama_tok361" / "hf")
WRITTEN = {"p-tuning-v2": {"answer": "text"}}  # its own answer is a head
SHORT = {"epochs": 3, "checks": 1}
SEEDS = range(3)
NOTE = (
    "Every method has the same train and dev rows: the first of the task's own, shuffled by seed "
    "0, as many as each section says; settings are the methods' own where it names none. Scores "
    "are of dev, which also chose the stopping point, the head and the probe's strength; the "
    "sealed tests were not opened. Seconds are wall time of one thread beside other work: they "
    "bound the cost, they do not measure it."
)
HEADER = "| method | score [95 %] | seeds ± deviation | n | trained | seconds, all seeds |"


@dataclass(frozen=True)
class Case:
    """One comparison: a task with so many of its rows, on a model."""

    task: str
    train: int
    dev: int
    model: str = MINILM
    methods: tuple[str, ...] = ALL
    settings: Mapping[str, object] = field(default_factory=dict)  # of each method that trains
    own: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # by method


CASES = {
    "wikigold": Case("wikigold", 2000, 600),
    "wnut17": Case("wnut17", 2000, 600, settings={"epochs": 4}),
    "uner_pt_bosque": Case("uner_pt_bosque", 1200, 400, settings={"epochs": 4}),
    "mr": Case("mr", 2000, 600),
    "snips": Case("snips", 2000, 600, settings={"epochs": 4}),
    "banking77": Case("banking77", 2000, 600, settings={"epochs": 4}),
    "faquad": Case("faquad", 300, 600, methods=TUNED, settings={"epochs": 3}),
    "squadshifts": Case("squadshifts", 500, 200, methods=TUNED, settings={"epochs": 3}),
    "e2e_nlg": Case("e2e_nlg", 500, 60, STORIES, TUNED, SHORT, WRITTEN),
    "stories": Case("stories", 300, 60, STORIES, TUNED, SHORT, WRITTEN),
    "e2e_nlg-babyllama": Case("e2e_nlg", 500, 60, STORYTELLER, TUNED, SHORT, WRITTEN),
}


def cut(task: Task, case: Case) -> Task:
    """The task with so many of its rows."""
    return replace(task, train=some(task.train, case.train), dev=some(task.dev, case.dev))


def some(rows: Sequence[Example], most: int) -> tuple[Example, ...]:
    return tuple(random.Random(0).sample(rows, len(rows))[:most])


def run(name: str, case: Case) -> Comparison:
    """Tune whatever is not kept yet, and set all side by side."""
    own = case.task == "stories"
    folder = stories_task(RUNS / "stories") if own else HERE / "tasks" / case.task
    task = cut(load_task(folder).for_tuning(), case)
    entries = [entry(name, case, each, task) for each in case.methods]
    return compare(entries, task.metric, task=task.name)


def entry(name: str, case: Case, method: str, task: Task) -> Entry:
    """One method with its seeds; one that cannot do the task keeps its row with the reason."""
    seeds = tuple(SEEDS) if method in SEEDED else (0,)
    found = []
    for seed in seeds:
        folder = RUNS / f"{name}-{method}-s{seed}"
        try:
            seconds = tuned(folder, case, method, task, seed)
        except InputError as error:
            return Entry(method, case.model, seeds, (), error=str(error))
        solver = tuning.load(folder)
        found.append((score(solver, task), seconds, solver.parameters))
    return Entry(
        method,
        case.model,
        seeds,
        tuple(scored for scored, _, _ in found),
        tuning_seconds=sum(seconds for _, seconds, _ in found),
        parameters=found[0][2],
    )


def score(solver: Solver, task: Task) -> Report:
    """What a solver's answers on dev are worth."""
    name, settings = task.signature.target.name, EvaluationSettings(latency_sample=0)
    return evaluate(solver, task.dev, task.metric, field=name, settings=settings)


def tuned(folder: Path, case: Case, method: str, task: Task, seed: int) -> float:
    """Tune in a folder, or go on there; the seconds that it took."""

    def show(step: Progress) -> None:
        if step.step % 50 == 0:
            line = f"{folder.name} {step.step}/{step.steps} {step.loss:.3f} best {step.best:.4f}"
            print(line, file=sys.stderr, flush=True)

    clock = folder / "seconds.json"
    if clock.is_file():
        return float(json.loads(clock.read_bytes()))
    settings = {} if method == "linear-probe" else {**case.settings, **case.own.get(method, {})}
    start = time.perf_counter()
    watch = Watch(show=show)
    tuning.tune(
        task, method, model=case.model, seed=seed, settings=settings, run=folder, watch=watch
    )
    seconds = time.perf_counter() - start
    replace_file(clock, json.dumps(seconds).encode(), Disk())
    return seconds


def section(name: str, case: Case, found: Comparison) -> str:
    """A comparison as Markdown."""
    model = case.model if case.model == MINILM else Path(case.model).parent.name
    given = "".join(f", {key} {value}" for key, value in case.settings.items())
    for method, own in case.own.items():
        given += "".join(f", {method} with {key} {value}" for key, value in own.items())
    lines = [
        f"## {name}: {found.metric} on dev, {model}, at most {case.train} train rows{given}",
        "",
        HEADER,
        "| --- | --- | --- | --- | --- | --- |",
        *[row_line(row) for row in found.rows],
        "",
        *[verdict_line(each) for each in found.verdicts],
        "",
    ]
    return "\n".join(lines)


def written() -> dict[str, str]:
    """The sections of the table as it stands, by case."""
    if not TABLE.is_file():
        return {}
    parts = re.split(r"^(?=## )", TABLE.read_text(), flags=re.MULTILINE)[1:]
    return {part[3 : part.index(":")]: part.strip() + "\n" for part in parts}


def main(arguments: list[str]) -> None:
    """Run the cases named, or all, and write each into the table as it ends."""
    for name in arguments or list(CASES):
        new = section(name, CASES[name], run(name, CASES[name]))
        sections = {**written(), name: new}
        body = "\n".join(sections[each] for each in CASES if each in sections)
        head = ["# Soft methods on real data", machine(PACKAGES), NOTE]
        TABLE.write_text("\n\n".join([*head, body]))


if __name__ == "__main__":
    main(sys.argv[1:])
