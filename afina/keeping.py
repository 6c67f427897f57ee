"""Runs in a store: tuned and kept, gone on with, shown, and opened on the sealed test."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from afina.disk import Disk
from afina.errors import BusyError, InputError, Interrupted, MismatchError, ModelError
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.evaluation.without import RETRIEVAL, beside
from afina.making.retrieved import without_retrieval
from afina.method_settings import OTHERS
from afina.models import Models
from afina.packed import restore
from afina.solver import Packed, Solver, Usage
from afina.store.bundle import FACTS, load_bundle
from afina.store.order import Order, check_same_order, made_of
from afina.store.prompts import keep_prompts
from afina.store.run import Run, check_name, run_name
from afina.store.store import Store
from afina.task.example import Example
from afina.task.task import Task, load_task
from afina.training.watch import Watch
from afina.tuning import checked, tune_in
from afina.written import prompts_in


def keep_run(
    store: Store,
    order: Order,
    name: str,
    *,
    task: Task | None = None,
    models: Models = Models(),
    watch: Watch = Watch(),
) -> Run:
    """Tune, evaluate on dev and keep both; a run of that name goes on, or is given back if done.

    ``task`` is the order's own where it is loaded already.

    One that is done, but lacks too many answers, asks for these again: an endpoint may have been
    down. An order that cannot be begun (no such task, method, setting or model) leaves nothing
    behind.
    """
    order = checked(order)
    task, models = task or load_task(order.task), models.once()
    run = begun(store, check_name(name), task, order, models)
    if run.status != "done" or not store.report(run.name, "dev").complete:
        with noting(store, run):
            _finish(store, run, task, order, models, watch)
    return store.run(run.name)


def begun(store: Store, name: str, task: Task, order: Order, models: Models) -> Run:
    """The run of this name, or a new one once its model is loaded."""
    known = kept_runs(store)
    if name in known:
        check_same_order(known[name], task, order)
        check_same_model(known[name], models)
        return known[name]
    for model in (order.model, *(str(order.settings.get(each, "")) for each in OTHERS)):
        if model:
            models.check(model)
    return store.add_run(_new_run(name, task, order))


def check_same_model(run: Run, models: Models) -> None:
    """Refuse to take what other weights, or another endpoint, answered for what the model's do now.

    Raises:
        MismatchError: the run was measured on others.
    """
    if run.status != "done" or not run.model:
        return
    try:
        now = source_of(models.identity(run.model))
    except (InputError, ModelError):  # it is not here now: what is kept can still be shown
        return
    before = source_of(kept_identity(packed_of(run)))
    if before and now and before != now:
        raise MismatchError(
            f"run {run.name!r} was measured {before}, and {run.model} is now {now}; use the same "
            "again, or begin anew in another --home or under another name"
        )


def source_of(identity: Mapping[str, object]) -> str:
    """Where a model's answers come from, in words; nothing where that is not told."""
    match identity:
        case {"endpoint": str(address)}:
            return f"at {address}"
        case {"digest": str(digest)}:
            return f"on weights {digest[:12]}…"
    return ""


def kept_identity(packed: Packed) -> Mapping[str, object]:
    """What a finished run's solver keeps of whose answers they were."""
    match packed.settings:
        case {"identity": dict(found)} | {"members": [dict(found), *_]}:
            return found
    return packed.settings


def _finish(
    store: Store,
    run: Run,
    task: Task,
    order: Order,
    models: Models,
    watch: Watch,
) -> None:
    """Tune, evaluate on dev, and note both."""
    assert run.folder is not None
    start, tuned = store.clock(), (run.folder / "bundle" / FACTS).is_file()
    solver = tune_in(run.folder, task, order, models=models, watch=watch)
    seconds = run.seconds + (store.clock() - start).total_seconds()
    if not tuned:
        run = replace(run, usage=spent_by(models, run.name))
        store.update_run(replace(run, status="running"))
    keep_report(store, run, solver, task, task.dev, "dev")
    note_done(store, run, solver, seconds)


def spent_by(models: Models, run: str) -> Usage:
    """What a run has spent on language models, failed calls too; answers replayed are free."""
    journal = models.journal
    if journal is None or not journal.path.is_file():
        return Usage()
    own = [line for line in journal.account() if line.run == run]
    journal.close()
    return Usage(
        calls=sum(line.calls for line in own),
        tokens=sum(line.read + line.written for line in own),
        cost=sum(line.cost for line in own),
    )


def note_done(store: Store, run: Run, solver: Solver, seconds: float) -> None:
    """Note that a run is finished, its prompts, what it took and how many numbers it trained."""
    parents = made_of(run).get("parents")
    keep_prompts(store, run.name, prompts_in(solver), message=message_of(run), parents=parents)
    done = replace(run, status="done", seconds=seconds, finished=store.clock())
    store.update_run(replace(done, parameters=solver.parameters))


def report_on(
    store: Store, solver: Solver, task: Task, examples: Sequence[Example], split: str
) -> Report:
    settings = EvaluationSettings(split=split, openings=store.count(task.digest))
    field = task.signature.target.name
    return evaluate(solver, examples, task.metric, field=field, settings=settings)


def keep_report(
    store: Store, run: Run, solver: Solver, task: Task, examples: Sequence[Example], split: str
) -> Report:
    """Score a run on a split and keep it; where it retrieves, also the same without passages."""
    report = report_on(store, solver, task, examples, split)
    store.save_report(run.name, report)
    bare = without_retrieval(solver)
    if bare is not None:
        store.save_report(run.name, beside(report_on(store, bare, task, examples, split)))
    return report


def bare_report(store: Store, run: Run, split: str) -> Report | None:
    """A run's report on a split without passages; None where it retrieves none."""
    name = split + RETRIEVAL
    return store.report(run.name, name) if name in store.splits(run.name) else None


def message_of(run: Run) -> str:
    """How a run's prompts came to be."""
    settings = (f"{name}={value}" for name, value in run.settings.items())
    return ", ".join([f"{run.method} on {run.task}, seed {run.seed}", *settings])


@contextmanager
def noting(store: Store, run: Run) -> Iterator[None]:
    """Notes that a run goes on, and how it ended where it did not end well."""
    start, ended = store.clock(), "failed"
    store.update_run(replace(run, status="running"))
    try:
        yield
        ended = "done"
    except (Interrupted, KeyboardInterrupt):
        ended = "interrupted"
        raise
    except BusyError:
        ended = "running"  # elsewhere
        raise
    finally:
        if ended in ("failed", "interrupted"):
            seconds = run.seconds + (store.clock() - start).total_seconds()
            store.update_run(replace(run, status=ended, seconds=seconds))


def _new_run(name: str, task: Task, order: Order) -> Run:
    return Run(
        name,
        order.task,
        task.digest,
        order.method,
        order.model,
        order.seed,
        settings=dict(order.settings),
    )


def solver_of(run: Run, models: Models = Models()) -> Solver:
    """A finished run's solver.

    Raises:
        InputError: the run is not finished.
    """
    return restore(packed_of(run), models)


def packed_of(run: Run) -> Packed:
    """What a finished run keeps of its solver.

    Raises:
        InputError: the run is not finished.
    """
    assert run.folder is not None
    if run.status != "done":
        raise InputError(
            f"run {run.name!r} is {run.status}; finish it with: afina resume {run.name}"
        )
    return load_bundle(run.folder / "bundle", Disk())


def describe(store: Store, name: str) -> tuple[Run, dict[str, Any]]:
    """A run, with what it remembers of its making, its reports and the test's openings."""
    run = store.run(name)
    reports = [store.report(run.name, split) for split in store.splits(run.name)]
    return run, {**made_of(run), "reports": reports, "openings": store.count(run.task_digest)}


def new_name(order: Order) -> str:
    """A name of its own for a run of an order, such as ``mr-prompt-tuning-7k3q9``."""
    word = Path(order.task).resolve().name if Path(order.task).exists() else order.task
    return run_name(word, order.method, random.Random())


def open_test(store: Store, name: str, *, models: Models = Models()) -> Report:
    """Score a run on the sealed test; the opening is counted before a row is read."""
    run = store.run(name)
    task = load_task(run.task)
    if task.digest != run.task_digest:
        raise MismatchError(
            f"the data of {run.task} changed since run {run.name!r} was made; tune it anew"
        )
    solver = solver_of(run, models)
    return keep_report(store, run, solver, task, task.test.open(store, run.name), "test")


def kept_runs(store: Store) -> dict[str, Run]:
    """Runs by name; a store that is not there yet is not made."""
    return {run.name: run for run in store.runs()} if store.path.is_file() else {}
