"""Several seeds and learning rates of one method, trained side by side over one frozen model."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from afina.disk import Disk, lock_folder
from afina.disk import sweep as sweep_folder
from afina.errors import AfinaError, InputError
from afina.evaluation.report import Report
from afina.job import Job, Made
from afina.keeping import begun, note_done, noting, report_on
from afina.making.trained import BUILDERS, together
from afina.method_settings import EXAMPLES
from afina.models import Models
from afina.store.bundle import save_bundle
from afina.store.order import Order, claim
from afina.store.run import Run, plain
from afina.store.store import Store, make_folder
from afina.task.task import Task, load_task
from afina.training.watch import Watch
from afina.tuning import bundle_at, checked, keep_facts

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Swept:
    """One of a sweep's runs with its report on dev, or why it has none."""

    run: Run
    report: Report | None
    error: str = ""


def orders_of(order: Order, *, seeds: int, rates: Sequence[float]) -> list[Order]:
    """An order for every learning rate and seed; without rates the method's own.

    Raises:
        InputError: the method is not trained side by side, or a rate stands twice.
    """
    if order.method not in BUILDERS:
        raise InputError(
            f"expected a method whose seeds train side by side, got {order.method!r}; "
            f"there are {', '.join(BUILDERS)}"
        )
    if order.settings.get(EXAMPLES):
        raise InputError(
            "expected no examples= for seeds that train side by side: each seed draws its own; "
            "tune them one by one, or by afina compare --examples"
        )
    if seeds < 1 or len(set(rates)) < len(rates):
        raise InputError(f"expected 1 seed or more and each rate once, got {seeds} and {rates}")
    settings = [{**order.settings, "rate": rate} for rate in rates] or [dict(order.settings)]
    return [
        checked(replace(order, seed=seed, settings=each))
        for each in settings
        for seed in range(order.seed, order.seed + seeds)
    ]


def sweep(
    store: Store,
    orders: Sequence[Order],
    *,
    models: Models = Models(),
    watch: Watch = Watch(),
) -> list[Swept]:
    """Tune orders that differ in seed and settings alone, by one pass a step; each is a run.

    Called again with the same orders it goes on where it stopped. A run's seconds are its share.

    Raises:
        InputError: an order cannot be begun.
    """
    task, models = load_task(orders[0].task), models.once()
    names = [swept_name(task, order, orders) for order in orders]
    runs = [
        begun(store, name, task, order, models) for name, order in zip(names, orders, strict=True)
    ]
    errors = {}
    if any(run.status != "done" for run in runs):
        errors = _train(store, runs, task, orders, models=models, watch=watch)
    return [
        Swept(store.run(name), None, errors[name])
        if name in errors
        else Swept(store.run(name), store.report(name, "dev"))
        for name in names
    ]


def swept_name(task: Task, order: Order, orders: Sequence[Order]) -> str:
    """A run's name that its order and those beside it decide, so that a sweep finds it again."""
    whole = [asdict(replace(each, settings=dict(each.settings))) for each in orders]
    content = json.dumps([whole, orders.index(order), task.digest])
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return f"{plain(task.name, order.method, 'sweep')}-{digest}-s{order.seed}"


def _train(
    store: Store,
    runs: Sequence[Run],
    task: Task,
    orders: Sequence[Order],
    *,
    models: Models,
    watch: Watch,
) -> dict[str, str]:
    """Train and evaluate all runs; the errors of those that failed, by name."""
    start = store.clock()
    errors: dict[str, str] = {}
    with ExitStack() as stack:
        for run in runs:
            if run.status != "done":
                stack.enter_context(noting(store, run))
        made = _made(runs, task, orders, models, watch, stack)
        share = (store.clock() - start).total_seconds() / len(runs)
        for run, each in zip(runs, made, strict=True):
            if isinstance(each, AfinaError):
                errors[run.name] = str(each)
                store.update_run(replace(run, status="failed", seconds=run.seconds + share))
            elif run.status != "done":
                _keep(store, run, task, each, run.seconds + share)
    return errors


def _keep(store: Store, run: Run, task: Task, made: Made, seconds: float) -> None:
    """Keep a run's solver and its report on dev."""
    assert run.folder is not None
    keep_facts(run.folder, made, Disk())
    save_bundle(run.folder / "bundle", made.solver.pack(), Disk())
    store.save_report(run.name, report_on(store, made.solver, task, task.dev, "dev"))
    note_done(store, run, made.solver, seconds)


def _made(
    runs: Sequence[Run],
    task: Task,
    orders: Sequence[Order],
    models: Models,
    watch: Watch,
    stack: ExitStack,
) -> list[Made | AfinaError]:
    """Train in the runs' folders, which stay locked as long as the stack is open."""
    jobs = []
    for run, order in zip(runs, orders, strict=True):
        assert run.folder is not None
        make_folder(run.folder)
        stack.enter_context(lock_folder(run.folder))
        sweep_folder(run.folder)
        claim(run.folder, task, order, Disk())
        jobs.append(
            Job(
                task.for_tuning(),
                order.model,
                partial(models.load, order.model),
                bundle_at,
                run.folder,
                seed=order.seed,
                settings=order.settings,
                watch=watch,
            )
        )
    return together(jobs, BUILDERS[orders[0].method])
