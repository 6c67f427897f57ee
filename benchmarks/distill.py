"""A written prompt of some 500 tokens beside the few vectors it was distilled into.

    python -m benchmarks distill                              the table, benchmarks/distill.md
    python -m benchmarks.distill --model FOLDER --tasks subj  another decoder, some tasks
    python -m benchmarks.distill --quick                      a few rows, to see that it works

The teacher is `few-shot` with as many examples as its tokens allow. Beside its score and the
student's stand the share of rows that both answer alike, the tokens of a call, and the milliseconds
of one asked alone, with the teacher's prompt read anew and with it kept as keys and values.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from afina.backbones.backbone import Backbone, load_backbone
from afina.backbones.chat import tokens_of
from afina.backbones.local_lm import LocalLM
from afina.disk import Disk
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.evaluation.statistics import Paired, paired, verdict
from afina.hard.demonstrations import choose_demonstrations
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.solver import Solver
from afina.task.example import Example
from afina.task.task import Task, load_task
from afina.training.checkpoint import Checkpoints
from afina.training.distill_run import DistillSettings, Taught, taught_by, tune_distilled
from afina.training.train import TrainSettings
from afina.training.watch import Watch
from benchmarks.machine import machine
from recipes.asking import edits

HERE = Path(__file__).parent
TABLE = HERE / "distill.md"
PACKAGES = ("afina", "torch", "transformers")
SETS = ("uci_sentiment", "subj")
EDITS = ("joined by commas", "first letter", "first word")  # of words, told by examples alone
FORMS = ("prefix", "vectors")
TOKENS = 500  # of the teacher's prompt before the row, at most
ROOM = 72  # places that are left for a row and its answer
NOTE = (
    "The teacher is few-shot with as many examples, the labels in turn, as make at most "
    f"{TOKENS} tokens, or as many as leave {ROOM} places; the edits (of recipes/asking.py) are "
    "told by no instruction, only by the examples. The student has 20 places, keys and values "
    "in every layer or vectors in "
    "front of the text. Students see the rows of train without their labels. Scores are of dev "
    "rows, with 95 % intervals; the difference is student less teacher, paired. Alike: the share "
    "of dev rows that both answer alike. Milliseconds are the median of calls made one at a time; "
    "for the teacher with its prompt read in each call, and with it kept as keys and values."
)


TOML = """signature = "text -> answer"
metric = "exact-match"

[data]
all = "rows.jsonl"

[split]
dev = 0.25
test = 0.05
leaks = "allow"
"""


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    train: int = 1000
    dev: int = 300
    timed: int = 20
    epochs: int = 6


QUICK = Sizes(train=32, dev=16, timed=3, epochs=1)


def teacher_for(task: Task, lm: LocalLM, backbone: Backbone) -> PromptSolver:
    """Few-shot with the most examples that TOKENS allow."""
    order = Random(0).sample(range(len(task.train)), len(task.train))
    fitting = PromptSolver(Prompt.of(task.signature), lm, backbone.frozen.name, task.words)
    for count in range(1, len(order)):
        shown = choose_demonstrations(task.train, task.signature, count=count, order=order)
        asking = replace(fitting, prompt=Prompt.of(task.signature, shown))
        most = min(TOKENS, backbone.frozen.positions - ROOM)
        if opening_tokens(asking, task.dev[0], backbone) > most:
            return fitting
        fitting = asking
    return fitting


def edit_task(name: str, sizes: Sizes) -> Task:
    """Words and what an edit makes of them."""
    rows = edits(Random(0), 2 * (sizes.train + sizes.dev), [name]).rows
    both = dict(rows)  # each text once
    lines = [json.dumps({"text": text, "answer": answer}) for text, answer in both.items()]
    with TemporaryDirectory() as folder:
        place = Path(folder) / name.replace(" ", "_")
        place.mkdir()
        (place / "rows.jsonl").write_text("\n".join(lines) + "\n")
        (place / "task.toml").write_text(TOML)
        return load_task(place).for_tuning()


def opening_tokens(solver: PromptSolver, row: Example, backbone: Backbone) -> int:
    """The tokens in front of a row."""
    messages = solver.prompt.messages(row.inputs)
    frozen = backbone.frozen
    return len(tokens_of(frozen, messages)) - len(tokens_of(frozen, messages[-1:]))


def cut(task: Task, sizes: Sizes) -> Task:
    """The task with so many of its rows, shuffled by seed 0."""
    chance = Random(0)
    train, dev = (tuple(chance.sample(part, len(part))) for part in (task.train, task.dev))
    return replace(task, train=train[: sizes.train], dev=dev[: sizes.dev])


def scored(solver: Solver, task: Task) -> Report:
    """A solver's answers on dev."""
    settings = EvaluationSettings(latency_sample=0)
    name = task.signature.target.name
    return evaluate(solver, task.dev, task.metric, field=name, settings=settings)


def milliseconds(solvers: Sequence[Solver], task: Task, count: int) -> float:
    """The median of calls made one at a time, each by a solver of its own or by one for all."""
    taken = []
    for number, example in enumerate(task.dev[:count]):
        start = time.perf_counter()
        solvers[number % len(solvers)]([example.inputs])
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def alike(first: Report, second: Report) -> float:
    """The share of rows with one answer."""
    pairs = zip(first.rows, second.rows, strict=True)
    return statistics.fmean(a.prediction.outputs == b.prediction.outputs for a, b in pairs)


def lines(name: str, backbone: Backbone, sizes: Sizes) -> list[str]:
    """A task's rows of the table."""
    found = edit_task(name, sizes) if name in EDITS else load_task(HERE / "tasks" / name)
    task = cut(found.for_tuning(), sizes)
    teacher = teacher_for(task, LocalLM(backbone), backbone)
    taught = taught_by(teacher, task, backbone, most=64)
    whole = scored(teacher, task)
    bare = scored(replace(teacher, prompt=Prompt.of(task.signature)), task)
    anew = [replace(teacher, lm=LocalLM(backbone)) for _ in range(sizes.timed)]
    shots = len(teacher.prompt.demonstrations)
    found = [
        line(name, "zero-shot", bare, paired(task.metric, [bare], [whole]), "–"),
        line(
            name,
            f"few-shot, {shots} examples",
            whole,
            None,
            "1",
            f"{taught.tokens:.0f}",
            f"{milliseconds(anew, task, sizes.timed):.1f} / "
            f"{milliseconds([teacher], task, sizes.timed):.1f}",
        ),
    ]
    return [*found, *(student(name, form, task, taught, backbone, whole, sizes) for form in FORMS)]


def student(
    name: str,
    form: str,
    task: Task,
    taught: Taught,
    backbone: Backbone,
    whole: Report,
    sizes: Sizes,
) -> str:
    """A student's row of the table."""
    settings = DistillSettings(prompt=form, train=TrainSettings(epochs=sizes.epochs, checks=1))
    with TemporaryDirectory() as folder:
        keeper = Checkpoints(Path(folder), Disk())
        solver, _ = tune_distilled(taught, backbone, settings, keeper=keeper, watch=Watch())
    report = scored(solver, task)
    reads = [solver.reader.read(each.inputs) for each in taught.train.examples]
    return line(
        name,
        f"distilled, {form}",
        report,
        paired(task.metric, [report], [whole]),
        f"{alike(report, whole):.3f}",
        f"{statistics.fmean(map(solver.tokens, reads)):.0f}",
        f"{milliseconds([solver], task, sizes.timed):.1f}",
    )


def line(
    task: str,
    who: str,
    report: Report,
    difference: Paired | None,
    same: str,
    tokens: str = "–",
    taken: str = "–",
) -> str:
    """A row of the table."""
    apart = "–"
    if difference is not None:
        low, high = difference.low, difference.high
        apart = f"{difference.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        apart += f", {verdict(difference, difference.p)}"
    score = f"{report.score:.3f} [{report.low:.3f}, {report.high:.3f}]"
    return f"| {task} | {who} | {score} | {apart} | {same} | {tokens} | {taken} |"


def main() -> None:
    """Distil on every task and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="builtin:tiny-decoder")
    parser.add_argument("--tasks", nargs="+", default=(*EDITS, *SETS))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    backbone = load_backbone(given.model)
    sizes = QUICK if given.quick else Sizes()
    rows = [row for name in given.tasks for row in lines(name, backbone, sizes)]
    head = [
        "| task | prompt | score, dev | less the teacher's | alike | tokens a call | ms a call |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    parts = [f"# A written prompt as 20 places: {given.model}", "\n".join([*head, *rows]), NOTE]
    text = "\n\n".join([*parts, machine(PACKAGES)]) + "\n"
    if given.quick:
        print(text)
    else:
        TABLE.write_text(text)


if __name__ == "__main__":
    main()
