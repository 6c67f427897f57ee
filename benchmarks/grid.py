"""The grid: eleven model families × their tasks × six methods, and what holds on each side.

Every cell is asked CHECKS on a tiny random model of its own (see grid_models.py): does it train;
save and load; answer the same under left and right padding; answer a row alone as in a batch;
generate; train under gradient checkpointing; resume. Writes grid.md; ``--only peft`` prints that
side's part instead.

A side ``name`` is the module benchmarks/grid_<name>.py with one function, ``check(family, task,
method) -> Cell``, and a line NOTE on how it was asked.
"""

import argparse
import logging
import re
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.grid_cell import CHECKS, FAILED, Cell
from benchmarks.grid_models import FAMILIES, METHODS, tasks_of
from benchmarks.machine import machine

TABLE = Path(__file__).with_suffix(".md")
SIDES = ("afina", "peft", "peft_plain")
TOTALS: dict[str, Sequence[str]] = {
    "trains, saves and padding": ["trains", "saves", "padding"],
    "all but resumes": CHECKS[:-1],
    "all": CHECKS,
}
CAPTION = """\
A cell: whether it trains, and how many of the checks that apply to it hold; bold where all do. The
checks: **trains** (prompt and head alone get gradients and move, and the loss moves), **saves**
(loaded on a fresh model, answers equal to 1e-5), **padding** (left and right padding change no
answer, 1e-4), **alone** (a row alone is answered as in a batch of other lengths and tasks, 1e-4),
**generates** (language models only: greedy search with and without the cache writes the same, by
the scores of forward, and beam search runs), **checkpoints** (gradient checkpointing gives the same
gradients, 1e-5; not where the model cannot), **resumes** (saved, loaded and trained on, equal bit
for bit to never stopped). What an architecture has no place for, keys and values in DeBERTa-v2, is
**refused** where the side says so by an error of its own; that is no success and counted apart."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SIDES, help="print this side's part, write nothing")
    parser.add_argument("--every", action="store_true", help="every task PEFT has a class for")
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # hundreds of notes of foreign libraries on tiny models
    warnings.simplefilter("ignore")
    names = [options.only] if options.only else SIDES
    text = page({name: cells_of(name, every=options.every) for name in names})
    if options.only:
        sys.stdout.write(text)
    else:
        options.output.write_text(text)


def cells_of(side: str, *, every: bool) -> list[Cell]:
    """All the cells as a side answers them, family by family."""
    check = import_module(f"benchmarks.grid_{side}").check
    return [
        check(family, task, method)
        for family in FAMILIES
        for task in tasks_of(family, every=every)
        for method in METHODS
    ]


def page(sides: Mapping[str, Sequence[Cell]]) -> str:
    """The whole of grid.md: totals, each side's cells, and why checks fail."""
    lines = ["# The grid: families × tasks × methods", "", CAPTION, "", *totals(sides)]
    for name, cells in sides.items():
        lines += ["", f"## {name}", "", import_module(f"benchmarks.grid_{name}").NOTE]
        lines += ["", *table(cells), "", *reasons(cells)]
    packages = ["afina", "peft", "torch", "transformers"]
    return "\n".join([*lines, "", f"One thread, float32. {machine(packages)}", ""])


def totals(sides: Mapping[str, Sequence[Cell]]) -> list[str]:
    """How many cells pass, a column a side: check by check, then several at once."""
    lines = header(["what holds", *sides])
    for check in CHECKS:
        lines.append(row([check, *(share(cells, [check]) for cells in sides.values())]))
    for what, checks in TOTALS.items():
        lines.append(row([f"**{what}**", *(share(cells, checks) for cells in sides.values())]))
    refused = [str(sum(cell.refused for cell in cells)) for cells in sides.values()]
    return [*lines, row(["refused, as the architecture has no place for it", *refused])]


def share(cells: Sequence[Cell], checks: Sequence[str]) -> str:
    """Of the cells to which any of the checks applies, those where none fails."""
    asked = [cell for cell in cells if any(cell.applies(check) for check in checks)]
    return f"{sum(cell.holds(*checks) for cell in asked)} of {len(asked)}"


def table(cells: Sequence[Cell]) -> list[str]:
    """A row a family and task, a column a method."""
    lines = header(["family", "task", *METHODS])
    found = {(cell.family, cell.task, cell.method): str(cell) for cell in cells}
    for family, task in dict.fromkeys((cell.family, cell.task) for cell in cells):
        lines.append(row([family, task, *(found[family, task, method] for method in METHODS)]))
    return lines


def reasons(cells: Sequence[Cell]) -> list[str]:
    """Why checks fail, the commonest first: the checks that fail so, and in how many cells."""
    counts: dict[str, Counter[str]] = {}
    largest: dict[str, float] = {}
    for cell in cells:
        for check, answer in cell.answers.items():
            if answer.verdict in FAILED:
                reason = re.sub(r"(?<![\w.])\d+(?:x\d+)?", "#", answer.reason)
                counts.setdefault(reason, Counter())[check] += 1
                largest[reason] = max(largest.get(reason, 0.0), answer.size or 0.0)
    lines = header(["why not", "by up to", "cells, by check"])
    for reason, checks in sorted(counts.items(), key=lambda found: -found[1].total()):
        size = f"{largest[reason]:.2g}" if largest[reason] else ""
        lines.append(
            row([reason, size, ", ".join(f"{name} {count}" for name, count in checks.items())])
        )
    return lines if counts else []


def header(names: Sequence[str]) -> list[str]:
    return [row(names), row(["---"] * len(names))]


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
