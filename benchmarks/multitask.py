"""A prompt that other tasks have learned against one from nothing, where examples are few.

    python -m benchmarks multitask            sources, all targets, then the table
    python -m benchmarks.multitask --quick    a few steps of each, to see that it works

Called again it goes on where it stopped. Runs are kept in benchmarks/.runs/multitask; the table is
benchmarks/multitask.md.
"""

import itertools
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean

import numpy as np
from scipy import stats

from afina.backbones.backbone import Backbone, load_backbone
from afina.disk import Disk, replace_file
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.evaluation.statistics import Paired, holm, paired, verdict
from afina.solver import Packed, Prediction, Solver, Value, Values
from afina.task.example import Example
from afina.task.task import Task, load_task
from afina.training.checkpoint import Checkpoints
from afina.training.linear_probe import probe
from afina.training.multitask_run import MultitaskSettings, Shared, adapt, train_shared
from afina.training.prompt_run import PromptTuningSettings, tune_prompt
from afina.training.train import TrainSettings
from afina.training.watch import Progress, Watch
from benchmarks.machine import machine

HERE = Path(__file__).parent
STARTS = ("linear probe", "single-task start", "transferred start")
POOL = 256  # dev rows set aside to choose by; the rest are scored
PACKAGES = ("afina", "torch", "transformers")


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    folder: Path
    model: str = "builtin:minilm"
    sources: tuple[str, ...] = ("clinc150", "snips", "subj", "uci_sentiment")
    targets: tuple[str, ...] = ("banking77", "mr")
    sizes: tuple[int, ...] = (16, 64, 256)
    seeds: int = 5
    rows: int | None = 1500  # train and dev rows of a source at most; None: all
    epochs: int = 2  # passes of each teacher and of the shared prompt
    train: TrainSettings = field(default_factory=TrainSettings)  # of a target
    scored: int | None = None  # dev rows scored; None: all but the pool
    answer: str = "auto"  # of all methods


WHOLE = Plan(HERE / ".runs" / "multitask")
QUICK = Plan(
    HERE / ".runs" / "multitask-quick",
    sizes=(16,),
    seeds=2,
    rows=64,
    epochs=1,
    train=TrainSettings(epochs=2),
    scored=64,
)


@dataclass(frozen=True)
class Cell:
    """One run: a start, a target, how many examples, and the seed."""

    start: str
    target: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.target}-{self.size}-{self.start.replace(' ', '-')}-s{self.seed}"


@dataclass(frozen=True)
class Recorded:
    """Answers that a solver gave before."""

    answers: Sequence[Value]
    field: str
    parameters: int = 0

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        return [Prediction({self.field: answer}) for answer in self.answers]

    def pack(self) -> Packed:
        raise NotImplementedError("recorded answers have no prompt")


def load(name: str) -> Task:
    return load_task(HERE / "tasks" / name).for_tuning()


def source(name: str, plan: Plan) -> Task:
    """A source task, or the first of its shuffled rows."""
    task, chance = load(name), random.Random(0)
    if plan.rows is None:
        return task
    train, dev = (chance.sample(split, len(split)) for split in (task.train, task.dev))
    return replace(task, train=tuple(train[: plan.rows]), dev=tuple(dev[: plan.rows]))


def few(task: Task, size: int, seed: int) -> Task:
    """A target with few examples, and as many dev rows to choose by."""
    return replace(task, train=drawn(task, size, seed), dev=shuffled(task.dev)[: min(size, POOL)])


def drawn(task: Task, size: int, seed: int) -> tuple[Example, ...]:
    """Examples of the labels in turn, labels and examples shuffled by the seed."""
    chance, target = random.Random(seed), task.signature.target.name
    by_label: dict[str, list[Example]] = {}
    for example in chance.sample(task.train, len(task.train)):
        by_label.setdefault(str(example.outputs[target]), []).append(example)
    turns = itertools.zip_longest(*by_label.values())
    whole = [example for turn in turns for example in turn if example is not None]
    return tuple(whole[:size])


def shuffled(rows: Sequence[Example]) -> tuple[Example, ...]:
    return tuple(random.Random(0).sample(rows, len(rows)))


def scored_rows(task: Task, plan: Plan) -> tuple[Example, ...]:
    """The dev rows by which no run chooses."""
    rows = shuffled(task.dev)[POOL:]
    return rows if plan.scored is None else rows[: plan.scored]


def keeper(folder: Path, backbone: Backbone) -> Checkpoints:
    folder.mkdir(parents=True, exist_ok=True)
    return Checkpoints(folder, Disk(), weights=backbone.frozen.digest)


def show(name: str) -> Watch:
    """A line of progress now and then."""

    def line(step: Progress) -> None:
        if step.step % 100 == 0:
            text = f"{name} {step.step}/{step.steps} loss {step.loss:.3f} best {step.best:.4f}"
            print(text, file=sys.stderr, flush=True)

    return Watch(show=line, note=lambda text: print(text, file=sys.stderr, flush=True))


def answers_of(cell: Cell, plan: Plan, task: Task, shared: Shared, backbone: Backbone) -> Report:
    """What a cell's solver says of the scored rows: as it was kept, or after its run."""
    path, rows = plan.folder / f"{cell.name}.json", scored_rows(task, plan)
    target = task.signature.target.name
    if not path.is_file():
        solver = solver_of(cell, plan, few(task, cell.size, cell.seed), shared, backbone)
        found = solver([row.inputs for row in rows])
        answers = [each.outputs[target] for each in found if each.outputs]
        replace_file(path, json.dumps(answers).encode(), Disk())
    recorded = Recorded(json.loads(path.read_bytes()), target)
    settings = EvaluationSettings(latency_sample=0, batch=len(rows))
    return evaluate(recorded, rows, task.metric, field=target, settings=settings)


def solver_of(cell: Cell, plan: Plan, task: Task, shared: Shared, backbone: Backbone) -> Solver:
    """A target's solver from one of the starts."""
    train = replace(plan.train, seed=cell.seed)
    kept, watch = keeper(plan.folder / cell.name, backbone), show(cell.name)
    match cell.start:
        case "linear probe":
            return probe(task, backbone)[0]
        case "single-task start":
            settings = PromptTuningSettings(answer=plan.answer, train=train)
            return tune_prompt(task, backbone, settings, keeper=kept, watch=watch)[0]
        case _:
            adapted = MultitaskSettings(answer=plan.answer, train=train)
            return adapt(task, backbone, shared, adapted, keeper=kept, watch=watch)[0]


def compared(
    target: str, size: int, plan: Plan, shared: Shared, backbone: Backbone
) -> tuple[list[float], Paired, list[float]]:
    """Each start's mean score, the difference that the transferred start makes, and each seed's."""
    task = load(target)
    reports = {
        start: [
            answers_of(Cell(start, target, size, seed), plan, task, shared, backbone)
            for seed in range(plan.seeds)
        ]
        for start in STARTS
    }
    transferred, single = reports["transferred start"], reports["single-task start"]
    found = paired(task.metric, transferred, single, matched=True)
    assert found is not None, "every row has an answer"
    scores = [
        mean(each.score for each in rows if each.score is not None) for rows in reports.values()
    ]
    gains = [
        (one.score or 0.0) - (other.score or 0.0)
        for one, other in zip(transferred, single, strict=True)
    ]
    return scores, found, gains


def all_cells(
    cells: Sequence[tuple[str, int]], found: Sequence[tuple[list[float], Paired, list[float]]]
) -> str:
    """The mean difference of all cells, with its interval."""
    by_seed = np.mean([gains for _, _, gains in found], axis=0)
    by_target: dict[str, float] = {}
    for (target, _), (_, each, _) in zip(cells, found, strict=True):
        by_target[target] = by_target.get(target, 0.0) + each.example_error / len(cells)
    rows = 1.96 * float(np.hypot.reduce(list(by_target.values())))
    seeds = stats.t.ppf(0.975, len(by_seed) - 1) * float(stats.sem(by_seed))
    middle, half = float(by_seed.mean()), float(np.hypot(rows, seeds))
    return (
        f"Of all cells together the transferred start is better by {middle:+.4f} "
        f"[{middle - half:+.4f}, {middle + half:+.4f}]."
    )


def overlap(sources: Sequence[Task], plan: Plan) -> str:
    """How many scored texts stand in the train of a source, word for word."""
    known = {text(example) for task in sources for example in task.train}
    counts = [
        f"{sum(text(row) in known for row in scored_rows(load(name), plan))} of {name}"
        for name in plan.targets
    ]
    return f"Scored texts that stand in a source's train: {', '.join(counts)}."


def text(example: Example) -> str:
    return " ".join(str(value) for value in example.inputs.values()).casefold()


def source_table(shared: Shared) -> list[str]:
    lines = ["| source | teacher on dev | shared prompt on dev |", "| --- | --- | --- |"]
    return lines + [
        f"| {each['task']} | {each['teacher']:.4f} | {each['shared']:.4f} |"
        for each in shared.facts["sources"]
    ]


def target_table(
    cells: Sequence[tuple[str, int]], found: Sequence[tuple[list[float], Paired, list[float]]]
) -> list[str]:
    """A line a target and size."""
    lines = [
        f"| target | examples | {' | '.join(STARTS)} | transferred − single [95 %] | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    adjusted = holm([difference.p for _, difference, _ in found])
    for (target, size), (scores, apart, _), p in zip(cells, found, adjusted, strict=True):
        shown = " | ".join(f"{score:.4f}" for score in scores)
        lines.append(
            f"| {target} | {size} | {shown} | {apart.difference:+.4f} [{apart.low:+.4f}, "
            f"{apart.high:+.4f}] | {told(verdict(apart, p))} |"
        )
    return lines


def told(said: str) -> str:
    """A verdict with the starts' names."""
    return {"A better": "transferred better", "B better": "single better"}.get(said, said)


def note(plan: Plan) -> str:
    """How a plan's tables were made."""
    rows = "all rows" if plan.rows is None else f"at most {plan.rows:,} rows each"
    answer = "" if plan.answer == "auto" else f" and answer by {plan.answer}"
    return (
        f"Sources: {', '.join(plan.sources)}, {rows}; {plan.model}. The shared prompt is trained "
        "once, with seed 0. A target has as many examples as the table says, drawn by the seed "
        "with the labels in turn, and as many dev rows to choose by (the stopping point, the "
        "head); dev rows that no run chooses by are scored. All have the default settings of "
        f"their methods{answer}; the seed moves the draw, the order and the vocabulary start. "
        "Differences have 95 % intervals over scored rows and seeds, which are compared in pairs, "
        "since a seed draws the same examples for both starts; verdicts are adjusted for their "
        "number (Holm). Of all cells together: the mean difference, over seeds by Student's t, "
        "over rows as if those of a target erred alike at every size. The sealed tests were not "
        "opened."
    )


def tables(plan: Plan) -> list[str]:
    """Train the shared prompt and every cell that is not kept yet; all there is to say of them."""
    backbone = load_backbone(plan.model)
    sources = [source(name, plan) for name in plan.sources]
    shared = train_shared(
        sources,
        backbone,
        MultitaskSettings(
            answer=plan.answer, teacher_epochs=plan.epochs, source_epochs=plan.epochs
        ),
        keepers=lambda stage: keeper(plan.folder / stage, backbone),
        watch=show("sources"),
    )
    cells = [(target, size) for target in plan.targets for size in plan.sizes]
    found = [compared(target, size, plan, shared, backbone) for target, size in cells]
    return [
        note(plan),
        overlap(sources, plan),
        "\n".join(target_table(cells, found)),
        all_cells(cells, found),
        "\n".join(source_table(shared)),
    ]


def main(arguments: list[str]) -> None:
    """Make what is not kept yet, and write the table."""
    title = "# Multitask prompt tuning where examples are few"
    quick = "--quick" in arguments
    plan = QUICK if quick else WHOLE
    parts = [title, machine(PACKAGES), *tables(plan)]
    folder = plan.folder if quick else HERE
    (folder / "multitask.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
