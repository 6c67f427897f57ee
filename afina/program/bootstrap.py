"""Bootstrapping: a program's own traces that scored well become its examples.

Khattab et al. 2023, "DSPy: Compiling declarative language model calls into self-improving
pipelines", https://arxiv.org/abs/2310.03714. We differ: rows are run side by side, examples are
taken with their answers in turn, labelled rows fill up where traces are too few, and the program as
given is kept where it scores as well on dev.
"""

import random
from dataclasses import dataclass
from functools import partial

from afina.lm.lm import LM
from afina.program.found import Found
from afina.program.gathering import drawn_sets, good_marks, mixed
from afina.program.program import Program
from afina.program.proposing import showing
from afina.program.search import BY_ITSELF, Means, Search
from afina.task.task import Task


@dataclass(frozen=True)
class BootstrapSettings:
    """How many examples are gathered, and what may be spent."""

    shots: int = 8  # examples a prompt shows at most
    calls: int = 200  # calls of language models at most
    seed: int = 0


def bootstrap(
    program: Program,
    task: Task,
    lm: LM,
    settings: BootstrapSettings = BootstrapSettings(),
    means: Means = BY_ITSELF,
) -> Found:
    """The program with examples out of traces that scored well, if that is better on dev.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    return search.run(partial(gather, settings))


def gather(settings: BootstrapSettings, search: Search) -> None:
    """Run rows of train, show what scored well, and compare on dev."""
    order = random.Random(settings.seed)
    given, train = search.candidates[0], mixed(search.task.train, order)
    keep = settings.calls // 2
    good = good_marks(search, given, train, wanted=settings.shots, keep=keep)
    shown = drawn_sets(given.program, good, train, shots=settings.shots, order=order)
    made = search.add(showing(given.program, shown), 0, "examples of its own traces")
    dev = mixed(search.task.dev, order)
    rows = dev[: search.purse.left // (2 * search.cost(given, 1))]
    for candidate in (given, made):
        search.score(candidate, rows)
