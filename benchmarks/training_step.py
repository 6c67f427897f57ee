"""One training step of prompt and prefix tuning, Afina's beside PEFT's: time, memory, losses.

Forward, backward and AdamW in float32 on two threads, from the same weights, start and batch. The
first losses must agree to 1e-4 wherever both compute the same (see ``comparable``); then contenders
take turns in one process, and the best round counts. Peak memory is that of a fresh process each.
Writes training_step.md.

A contender ``name`` is the module benchmarks/training_step_<name>.py with one function,
``<name>_step(case) -> Callable[[], float]``, which builds the case (see training_cases.py) and
returns a function that trains one step and gives its loss.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.machine import machine
from benchmarks.memory_step import Memory, memory_of
from benchmarks.training_cases import CASES, Case

TABLE = Path(__file__).with_suffix(".md")
THREADS = 2
COMPARED = 3  # first steps whose losses must agree; they warm up, too
TOLERANCE = 1e-4
CONTENDERS = {"prompt": ("peft", "afina"), "prefix": ("peft", "afina", "afina_upper")}
HEADER = [
    "case",
    "by",
    "ms a step",
    "× first",
    "peak MB",
    "× first",
    "above the start MB",
    "× first",
]

NOTE = (
    "`afina_upper` has its prefix in the upper 3 of 6 layers. PEFT's prefix has no network. "
    "In prompt tuning the classifier's heads differ: PEFT's pooler and classifier read the first "
    "virtual token, Afina's head the mean over the text. A process's peak holds its imports too "
    "(Afina's bring scikit-learn); what a step takes is what stands above the start."
)

Step = Callable[[], float]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--method", choices=sorted(CONTENDERS))
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    title = "# One training step of prompt and prefix tuning"
    lines = [title, "", row(HEADER), row(["---"] * len(HEADER))]
    for place, case in enumerate(CASES):
        if options.method not in (None, case.method):
            continue
        names = CONTENDERS[case.method]
        memory = {name: memory_of(name, place) for name in names}
        lines += rows(case, seconds_of(case, names, options.rounds), memory)
    about = machine(["afina", "peft", "torch", "transformers"])
    lines += [
        "",
        NOTE,
        "",
        f"Best of {options.rounds} rounds in turn, {THREADS} threads, float32. {about}",
    ]
    options.output.write_text("\n".join([*lines, ""]))


def seconds_of(case: Case, names: Sequence[str], rounds: int) -> dict[str, float]:
    """Each contender's best step, taken in turn."""
    steps = {name: step_of(name, case) for name in names}
    check_losses(case, steps)
    best = dict.fromkeys(names, float("inf"))
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def step_of(name: str, case: Case) -> Step:
    """The contender's training step, built."""
    side = import_module(f"benchmarks.training_step_{name}")
    step: Step = getattr(side, f"{name}_step")(case)
    return step


def check_losses(case: Case, steps: Mapping[str, Step]) -> None:
    """Warm up; stop unless the first losses are equal for all that compute the same."""
    losses = {name: [step() for _ in range(COMPARED)] for name, step in steps.items()}
    alike = [found for name, found in losses.items() if comparable(case, name)]
    for found in alike:
        if any(abs(a - b) > TOLERANCE for a, b in zip(alike[0], found, strict=True)):
            sys.exit(f"expected equal losses on {case.name}, got {losses}")


def comparable(case: Case, name: str) -> bool:
    """Whether a contender computes what PEFT does: all layers, and the same token pooled."""
    return name != "afina_upper" and (case.decoder or case.method == "prefix")


def rows(case: Case, seconds: Mapping[str, float], memory: Mapping[str, Memory]) -> list[str]:
    """A case's lines of the table, one a contender, each measured against the first."""
    first = next(iter(seconds))
    above = {name: each.peak - each.start for name, each in memory.items()}
    return [
        row(
            [
                case.name,
                name,
                f"{1000 * seconds[name]:.0f}",
                f"{seconds[name] / seconds[first]:.2f}",
                f"{memory[name].peak:.0f}",
                f"{memory[name].peak / memory[first].peak:.2f}",
                f"{above[name]:.0f}",
                f"{above[name] / above[first]:.2f}",
            ]
        )
        for name in seconds
    ]


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
