"""A plan: before anything runs, what the data can settle, and about what each route will take.

All costs are estimates: of runs of the same task that are kept, or by a formula from the number of
rows, their letters, and the model's measured pace.
"""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from afina.evaluation.favoured import Favoured, favoured
from afina.evaluation.grades import own_grades
from afina.evaluation.power import deviation_of_shares, difference_shown, examples_needed
from afina.hard.prompt import Prompt
from afina.keeping import kept_runs
from afina.lineup import Lineup, contenders
from afina.method_settings import defaults, read_settings
from afina.methods import WEIGHTS, WITHOUT_MODEL, method_named
from afina.models import Models, is_speaker
from afina.routes import Unfit, fitting, usual_models
from afina.store.order import Order
from afina.store.run import Run
from afina.store.store import Store
from afina.task.task import Task, load_task

DIFFERENCES = (0.01, 0.03, 0.05)
DIFFERING = 0.2  # share of examples that two methods answer differently, where nothing is known
LETTERS = 4  # of a token, about
STEP = 3  # forward passes that a step of training takes
STEPS = 400  # the least that training takes where its epochs are left to it
EPOCHS = 4
CONCURRENCY = 32


@dataclass(frozen=True)
class Settles:
    """What paired scores on ``n`` examples of dev can settle, four times in five.

    ``deviation`` is of the difference on one example: ``measured`` on kept runs, or assumed.
    """

    n: int
    deviation: float
    measured: bool
    shown: float
    needed: Mapping[float, int]

    def to_json(self) -> dict[str, object]:
        """What can be settled, as plain JSON."""
        needed = {f"{difference:g}": count for difference, count in self.needed.items()}
        return {**vars(self), "needed": needed}


@dataclass(frozen=True)
class Cost:
    """About what a route takes, all seeds; None where it cannot be told before it runs."""

    method: str
    model: str
    seeds: int
    calls: int | None
    tokens: int | None
    seconds: float | None
    basis: str

    def to_json(self) -> dict[str, object]:
        """The cost as plain JSON."""
        return vars(self).copy()


@dataclass(frozen=True)
class Plan:
    """What the data can settle, what each route takes, what is left out, and where to begin."""

    task: str
    train: int
    test: int
    settles: Settles
    costs: tuple[Cost, ...]
    unfit: tuple[Unfit, ...]
    favoured: tuple[Favoured, ...]

    def to_json(self) -> dict[str, object]:
        """The plan as plain JSON."""
        return {
            "task": self.task,
            "train": self.train,
            "dev": self.settles.n,
            "test": self.test,
            "settles": self.settles.to_json(),
            "costs": [cost.to_json() for cost in self.costs],
            "unfit": [vars(each) for each in self.unfit],
            "favoured": [each.to_json() for each in self.favoured],
        }


def plan(store: Store, lineup: Lineup, *, models: Models = Models()) -> Plan:
    """Look at a task and its models; nothing is tuned, and no language model is asked.

    Raises:
        InputError: the task, a method or a setting is not there.
        ModelError: a model is not there.
    """
    for method in lineup.methods:
        method_named(method)
    task, models = load_task(lineup.task), models.once()
    on = lineup.models or usual_models(task, lineup.methods)
    fit, unfit = fitting(task, models, on, lineup.settings, lineup.methods)
    methods = lineup.methods or tuple(fit)
    wanted = Lineup(lineup.task, methods, on, lineup.seeds, (0,), lineup.settings)
    runs = [run for run in kept_runs(store).values() if run.task_digest == task.digest]
    left_out = {(each.method, each.model) for each in unfit}
    costs = [
        cost(task, each.orders, store, runs, models)
        for each in contenders(wanted, 0, left_out)
        if (each.method, each.model) not in left_out
    ]
    return Plan(
        task.name,
        len(task.train),
        len(task.test),
        settles(store, task, runs),
        tuple(costs),
        tuple(unfit),
        tuple(favoured(len(task.train), largest(models, on))),
    )


def largest(models: Models, names: Sequence[str]) -> int | None:
    """The parameters of the largest model whose weights are here; None where there is none."""
    here = [name for name in names if not is_speaker(name) and name not in models.given]
    sizes = [
        sum(each.numel() for each in models.load(name).frozen.model.parameters()) for name in here
    ]
    return max(sizes, default=None)


def settles(store: Store, task: Task, runs: Sequence[Run]) -> Settles:
    """What dev can settle, by the differences of kept runs where there are two."""
    found = measured_deviation(store, runs)
    deviation = deviation_of_shares(DIFFERING) if found is None else found
    return Settles(
        n=len(task.dev),
        deviation=deviation,
        measured=found is not None,
        shown=difference_shown(len(task.dev), deviation),
        needed={each: examples_needed(each, deviation) for each in DIFFERENCES},
    )


def measured_deviation(store: Store, runs: Sequence[Run]) -> float | None:
    """The median deviation of paired differences between kept runs of different methods."""
    done = {run.method: run for run in runs if run.status == "done"}
    marks = [own_grades(store.report(run.name, "dev")) for run in done.values()]
    deviations = []
    for one, other in itertools.combinations(marks, 2):
        gaps = [a - b for a, b in zip(one, other, strict=True) if a is not None and b is not None]
        if len(gaps) > 1:
            deviations.append(statistics.stdev(gaps))
    return statistics.median(deviations) if deviations and max(deviations) > 0 else None


def cost(
    task: Task, orders: Sequence[Order], store: Store, runs: Sequence[Run], models: Models
) -> Cost:
    """About what a route takes: as a kept run of it did, or by a formula."""
    order, seeds = orders[0], len(orders)
    for run in runs:
        same = (run.method, run.model) == (order.method, order.model)
        if same and run.status == "done" and dict(run.settings) == dict(order.settings):
            report = store.report(run.name, "dev")
            both = run.usage + report.usage
            seconds = seeds * (run.seconds + report.seconds)
            calls, tokens = seeds * both.calls, seeds * both.tokens
            return Cost(
                order.method, order.model, seeds, calls, tokens, seconds, f"as run {run.name} took"
            )
    if order.method in WITHOUT_MODEL:
        return Cost(order.method, order.model, seeds, 0, 0, 0.0, "no model is asked")
    if order.method in WEIGHTS:
        return trained(task, order, seeds, models)
    return asked(task, order, seeds, models)


def trained(task: Task, order: Order, seeds: int, models: Models) -> Cost:
    """Training by the measured pace: a step takes three forward passes, a check of dev one."""
    row = models.row_seconds(order.model, task)
    settings = read_settings(order.method, order.settings, order.seed)
    train = getattr(settings, "train", None)
    rows = len(task.train) + len(task.dev)
    if train is not None:
        batch = train.batch
        least = STEPS * batch / max(1, len(task.train))
        epochs = train.epochs if train.epochs is not None else max(EPOCHS, least)
        checks = epochs if train.checks is None else train.checks
        rows = round(STEP * epochs * len(task.train) + (checks + 1) * len(task.dev))
    basis = f"{rows:,} rows at a measured {1000 * row:.2f} ms"
    return Cost(order.method, order.model, seeds, 0, None, seeds * rows * row, basis)


def asked(task: Task, order: Order, seeds: int, models: Models) -> Cost:
    """Calls of a language model: one a row of dev, and those its settings let it search with."""
    own: Any = defaults(order.method)
    settings = {each.name: getattr(own, each.name) for each in fields(own)} | dict(order.settings)
    searched = settings.get("calls", 0)
    answers = len(task.dev) * (1 + int(settings.get("hops", 0)))
    letters = prompt_letters(task, int(settings.get("shots", 0)))
    if searched:  # and two yardsticks beside what was found
        answers *= 3
    calls = seeds * (answers + (searched if isinstance(searched, int) else 0))
    seconds = call_seconds(models, order.model)
    return Cost(
        order.method,
        order.model,
        seeds,
        calls,
        round(calls * letters / LETTERS),
        None if seconds is None else calls * seconds / CONCURRENCY,
        f"{letters:.0f} letters a call" + ("" if seconds is None else ", the journal's seconds"),
    )


def prompt_letters(task: Task, shots: int) -> float:
    """The mean letters of a prompt with so many examples."""
    prompt = Prompt.of(task.signature, task.train[:shots])
    rows = task.dev[:50]
    lengths = [
        sum(len(each.content) for each in prompt.messages(example.inputs)) for example in rows
    ]
    return statistics.fmean(lengths)


def call_seconds(models: Models, name: str) -> float | None:
    """The mean seconds of a model's calls in the journal; None where there are none."""
    lines = models.journal.account() if models.journal else []
    own = [line for line in lines if line.kept and name.endswith(line.model)]
    kept = sum(line.kept for line in own)
    return sum(line.seconds for line in own) / kept if kept else None
