"""From a task to a kept run: tune, resume, compare, and open the sealed test."""

import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.disk import Disk, lock_folder, replace_file
from afina.errors import AfinaError, ArtefactError, InputError, Interrupted, MismatchError
from afina.evaluation.compare import Comparison, Entry
from afina.evaluation.compare import compare as set_side_by_side
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.methods import SEEDED, Job, load_model, method_named, restore
from afina.solver import Packed, Solver
from afina.store.bundle import FACTS, load_bundle, save_bundle
from afina.store.run import Run, plain, run_name
from afina.store.store import Store
from afina.task.task import Task, load_task
from afina.training.watch import Watch

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone

ORDER = "order.json"
MADE = "made.json"


@dataclass(frozen=True)
class Order:
    """All that decides a run's result: the task, the method, the model, the seed, the settings."""

    task: str  # a folder or a Hub name
    method: str
    model: str
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)


def tune(
    task: Task,
    method: str = "prompt-tuning",
    *,
    model: str = "builtin:minilm",
    seed: int = 0,
    settings: Mapping[str, object] | None = None,
    run: str | Path | None = None,
    watch: Watch = Watch(),
) -> Solver:
    """Tune a prompt for a task on a frozen model.

    ``run`` is a folder that keeps checkpoints and the result: called again with it, a run that was
    stopped goes on, and one that is finished is loaded. Without it nothing is kept.

    Raises:
        InputError: an unknown method or setting, or one that does not fit task or model.
        MismatchError: the folder holds another run.
        BusyError: another process works in the folder.
    """
    order = Order(task.name, method, model, seed, settings or {})
    if run is not None:
        return tune_in(Path(run), task, order, load=load_model, watch=watch)
    with tempfile.TemporaryDirectory(prefix="afina-") as folder:
        return tune_in(Path(folder), task, order, load=load_model, watch=watch)


def tune_in(
    folder: Path,
    task: Task,
    order: Order,
    *,
    load: "Callable[[str], Backbone]",
    watch: Watch,
    disk: Disk = Disk(),
) -> Solver:
    """Tune in a folder: begin, go on, or load what is finished."""
    make = method_named(order.method)
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder):
        _claim(folder, task, order, disk)
        if (folder / "bundle" / FACTS).is_file():
            return restore(load_bundle(folder / "bundle", disk), load)
        job = Job(
            task.for_tuning(),
            order.model,
            lambda: load(order.model),
            bundle_at,
            folder,
            seed=order.seed,
            settings=order.settings,
            watch=watch,
            disk=disk,
        )
        made = make(job)
        facts = json.dumps(made.facts, allow_nan=False).encode()
        replace_file(folder / MADE, facts, disk)
        save_bundle(folder / "bundle", made.solver.pack(), disk)
        return made.solver


def _claim(folder: Path, task: Task, order: Order, disk: Disk) -> None:
    """Write what the folder is for, or refuse where it is for something else."""
    mine = {**asdict(order), "settings": dict(order.settings), "task_digest": task.digest}
    path = folder / ORDER
    if not path.exists():
        replace_file(path, json.dumps(mine, indent=1).encode(), disk)
        return
    try:
        there: dict[str, Any] = json.loads(disk.read(path))
    except ValueError as error:
        raise ArtefactError(f"{path} is damaged ({error}); start under another name") from error
    for name, value in mine.items():
        if there.get(name) != json.loads(json.dumps(value)):
            raise MismatchError(
                f"{folder} holds a run with {name} {there.get(name)!r}, not {value!r}; "
                "name another folder or run"
            )


def load(path: str | Path) -> Solver:
    """Load a bundle: its folder, or the folder of the run that made it.

    Raises:
        InputError: there is none.
        ArtefactError: it is damaged.
        MismatchError: the model of that name has other weights now.
    """
    return restore(bundle_at(path))


def bundle_at(path: str | Path) -> Packed:
    """What a bundle's folder holds, or that of the run that made it."""
    folder = Path(path)
    inner = folder / "bundle"
    return load_bundle(inner if inner.is_dir() else folder, Disk())


def keep_run(
    store: Store,
    order: Order,
    name: str,
    *,
    load: "Callable[[str], Backbone]" = load_model,
    watch: Watch = Watch(),
) -> Run:
    """Tune, evaluate on dev and keep both; a run of that name goes on, or is given back if done."""
    task = load_task(order.task)
    known = {run.name: run for run in store.runs()}
    run = known.get(name)
    if run is not None and run.status == "done":
        _same_order(run, task, order)
        return run
    if run is None:
        run = store.add_run(_new_run(name, task, order))
    assert run.folder is not None
    with _status(store, run):
        start = store.clock()
        solver = tune_in(run.folder, task, order, load=load, watch=watch)
        seconds = run.seconds + (store.clock() - start).total_seconds()
        settings = EvaluationSettings(openings=store.count(task.digest))
        report = evaluate(
            solver, task.dev, task.metric, field=task.signature.target.name, settings=settings
        )
        store.save_report(name, report)
        done = replace(
            run,
            status="done",
            seconds=seconds,
            finished=store.clock(),
            parameters=solver.parameters,
        )
        store.update_run(done)
    return store.run(name)


@contextmanager
def _status(store: Store, run: Run) -> Iterator[None]:
    """Notes how a run ended that did not end well."""
    start = store.clock()
    try:
        yield
    except AfinaError as error:
        status = "interrupted" if isinstance(error, Interrupted) else "failed"
        seconds = run.seconds + (store.clock() - start).total_seconds()
        store.update_run(replace(run, status=status, seconds=seconds))
        raise


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


def _same_order(run: Run, task: Task, order: Order) -> None:
    if order_of(run) != order or run.task_digest != task.digest:
        raise MismatchError(
            f"run {run.name!r} was made from {order_of(run)} or from other data; name another run"
        )


def order_of(run: Run) -> Order:
    """What a kept run was asked to be."""
    return Order(run.task, run.method, run.model, run.seed, dict(run.settings))


def solver_of(run: Run) -> Solver:
    """A finished run's solver.

    Raises:
        InputError: the run is not finished.
    """
    assert run.folder is not None
    if run.status != "done":
        raise InputError(
            f"run {run.name!r} is {run.status}; finish it with: afina resume {run.name}"
        )
    return restore(load_bundle(run.folder / "bundle", Disk()))


def describe(store: Store, name: str) -> tuple[Run, dict[str, Any]]:
    """A run, with what it remembers of its making and its reports under ``reports``."""
    run = store.run(name)
    reports = [store.report(run.name, split) for split in store.splits(run.name)]
    return run, {**made_of(run), "reports": reports}


def new_name(order: Order) -> str:
    """A name of its own for a run of an order, such as ``mr-prompt-tuning-7k3q9``."""
    word = Path(order.task).resolve().name if Path(order.task).exists() else order.task
    return run_name(word, order.method, random.Random())


def made_of(run: Run) -> dict[str, Any]:
    """What a run remembers of its making: loss curve, dev scores, settings it chose."""
    assert run.folder is not None
    path = run.folder / MADE
    facts: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    return facts


def open_test(store: Store, name: str) -> Report:
    """Score a run on the sealed test; the opening is counted before a row is read."""
    run = store.run(name)
    solver, task = solver_of(run), load_task(run.task)
    if task.digest != run.task_digest:
        raise MismatchError(f"the data of {run.task} changed since run {run.name!r} was made")
    examples = task.test.open(store, run.name)
    settings = EvaluationSettings(split="test", openings=store.count(task.digest))
    report = evaluate(
        solver, examples, task.metric, field=task.signature.target.name, settings=settings
    )
    store.save_report(run.name, report)
    return report


def compare(
    store: Store,
    task: str,
    methods: Sequence[str],
    *,
    model: str = "builtin:minilm",
    seeds: int = 1,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    watch: Watch = Watch(),
) -> Comparison:
    """Tune every method on one task, cheapest first as given, and judge the differences on dev.

    A method that cannot run on the model keeps its row, with the reason. Called again it goes on
    where it stopped.

    Raises:
        InputError: a method's name is unknown, or the task cannot be loaded.
    """
    if seeds < 1:
        raise InputError(f"expected 1 seed or more, got {seeds}")
    for method in methods:
        method_named(method)
    loaded, loader = load_task(task), cache(load_model)
    entries = []
    for method in methods:
        orders = [
            Order(task, method, model, seed, (settings or {}).get(method, {}))
            for seed in range(seeds if method in SEEDED else 1)
        ]
        entries.append(_entry(store, loaded, orders, loader, watch))
    return set_side_by_side(entries, loaded.metric, task=loaded.name)


def _entry(
    store: Store,
    task: Task,
    orders: Sequence[Order],
    load: "Callable[[str], Backbone]",
    watch: Watch,
) -> Entry:
    first, seeds = orders[0], tuple(order.seed for order in orders)
    model = "" if first.method == "majority" else first.model
    try:
        runs = [
            keep_run(store, order, compared_name(task, order), load=load, watch=watch)
            for order in orders
        ]
    except Interrupted:
        raise
    except AfinaError as error:
        return Entry(first.method, model, seeds, (), error=str(error))
    return Entry(
        first.method,
        model,
        seeds,
        tuple(store.report(run.name, "dev") for run in runs),
        runs=tuple(run.name for run in runs),
        tuning_seconds=sum(run.seconds for run in runs),
        parameters=runs[0].parameters,
    )


def compared_name(task: Task, order: Order) -> str:
    """A run's name that its order and its data decide, so that a comparison finds it again."""
    content = json.dumps([asdict(replace(order, settings=dict(order.settings))), task.digest])
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return f"{plain(task.name, order.method)}-{digest}-s{order.seed}"
