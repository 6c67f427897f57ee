"""The learning rate that the doctor's short runs choose, beside whole runs at every rate it tried.

    python -m benchmarks rate_probe

Goes on where it stopped; runs are kept in benchmarks/.runs/rate_probe, the table is
benchmarks/rate_probe.md.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from afina import tuning
from afina.disk import Disk, replace_file
from afina.job import Job
from afina.making.trained import examine
from afina.models import load_model
from afina.task.task import Task, load_task
from afina.training.doctor import RATES, Diagnosis
from benchmarks.machine import machine
from benchmarks.real_data import HERE, MINILM, PACKAGES
from benchmarks.soft_methods import CASES, cut, score

TABLE = HERE / "rate_probe.md"
RUNS = HERE / ".runs" / "rate_probe"
TASKS = ("mr", "wikigold")
TRAIN = 1000  # rows
SHORT = {"epochs": 4, "checks": 1}
METHODS = ("prompt-tuning", "p-tuning-v2")
NOTE = (
    "The doctor trains each rate for 40 steps on 256 rows and takes the one whose training loss "
    "ends lowest; beside it whole runs at the same rates, scored on dev. Tasks, dev rows and model "
    f"are those of soft_methods.md, with at most {TRAIN:,} train rows and 4 epochs; seed 0."
)


@dataclass(frozen=True)
class Line:
    """One method on one task: the doctor's choice and the dev score at each rate."""

    task: str
    method: str
    chosen: float
    seconds: float
    scores: tuple[float, ...]

    @property
    def short(self) -> float:
        """How far the chosen rate's score is below the best."""
        return max(self.scores) - self.scores[RATES.index(self.chosen)]

    def __str__(self) -> str:
        best = max(self.scores)
        cells = [f"**{each:.4f}**" if each == best else f"{each:.4f}" for each in self.scores]
        lost = f"{self.chosen:g} | {self.seconds:.0f} | {100 * self.short:.1f}"
        return f"| {self.task} | {self.method} | {' | '.join(cells)} | {lost} |"


def line(name: str, method: str) -> Line:
    """Ask the doctor, and train at every rate what is not kept yet."""
    task = cut(load_task(HERE / "tasks" / name).for_tuning(), replace(CASES[name], train=TRAIN))
    chosen, seconds = choice(name, task, method)
    scores = tuple(scored(name, task, method, rate) for rate in RATES)
    return Line(name, method, chosen, seconds, scores)


def choice(name: str, task: Task, method: str) -> tuple[float, float]:
    """The doctor's rate, and the seconds it took."""
    kept = RUNS / f"{name}-{method}.json"
    if not kept.is_file():
        start = time.perf_counter()
        found = examined(task, method)
        assert found.rate is not None, "some rate gives a finite loss"
        taken = [found.rate, time.perf_counter() - start]
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, json.dumps(taken).encode(), Disk())
    rate, seconds = json.loads(kept.read_bytes())
    return rate, seconds


def examined(task: Task, method: str) -> Diagnosis:
    """What the doctor says."""
    job = Job(task, MINILM, lambda: load_model(MINILM), tuning.bundle_at, RUNS)
    return examine(job, method)


def scored(name: str, task: Task, method: str, rate: float) -> float:
    """The dev score of a whole run at a rate."""
    folder, settings = RUNS / f"{name}-{method}-{rate:g}", {"rate": rate, **SHORT}
    tuning.tune(task, method, model=MINILM, settings=settings, run=folder)
    print(folder.name, file=sys.stderr, flush=True)
    found = score(tuning.load(folder), task).score
    assert found is not None, "every row has an answer"
    return found


def table(lines: Sequence[Line]) -> str:
    """All lines as Markdown."""
    rates = " | ".join(f"{rate:g}" for rate in RATES)
    head = [
        f"| task | method | {rates} | the doctor's | seconds | points below the best |",
        "| --- | --- |" + " --- |" * (len(RATES) + 3),
    ]
    return "\n".join([*head, *map(str, lines)])


def main() -> None:
    """Run what is missing and write the table."""
    lines = []
    for name, method in product(TASKS, METHODS):
        lines.append(line(name, method))
        parts = ["# The doctor's learning rate", machine(PACKAGES), NOTE, table(lines)]
        TABLE.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
