"""From a task to a kept run: tune, resume, and open the sealed test."""

import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.disk import Disk, lock_folder, replace_file, sweep
from afina.errors import (
    BusyError,
    InputError,
    Interrupted,
    MismatchError,
)
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.evaluation.without import RETRIEVAL, beside
from afina.job import Job, Made
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.journal import Journal
from afina.making.multitask import MULTITASK, pinned_sources
from afina.making.retrieved import pinned_retrieval, retrieves, without_retrieval
from afina.making.trained import examine
from afina.making.written import WRITTEN, pinned_prompt
from afina.method_settings import EXAMPLES, OTHERS, typed_settings
from afina.methods import WITHOUT_MODEL, method_named, usual_model
from afina.models import Models, is_speaker, load_model
from afina.packed import join, restore
from afina.solver import Packed, Solver, Usage
from afina.store.bundle import FACTS, load_bundle, save_bundle
from afina.store.order import MADE, Order, check_same_order, claim, made_of
from afina.store.prompts import keep_prompts
from afina.store.run import Run, check_name, run_name
from afina.store.store import Store, make_folder
from afina.task.example import Example
from afina.task.subset import with_examples
from afina.task.task import Task, load_task
from afina.training.watch import Watch
from afina.written import prompts_in

if TYPE_CHECKING:
    from afina.lm.lm import LM
    from afina.training.doctor import Diagnosis


def tune(
    task: Task,
    method: str = "prompt-tuning",
    *,
    model: "str | LM" = "",
    seed: int = 0,
    settings: Mapping[str, object] | None = None,
    budget: Budget = UNLIMITED,
    run: str | Path | None = None,
    watch: Watch = Watch(),
) -> Solver:
    """Tune a prompt for a task on a frozen model, or on a built-in one where none is named.

    ``run`` is a folder that keeps checkpoints, the journal of a language model's calls and the
    result: called again with it, a run that was stopped goes on, and one that is finished is
    loaded. Without it nothing is kept. ``budget`` caps what a language model's calls may take.

    Raises:
        BudgetError: the budget is spent; called again with a larger one, paid calls are replayed.
        InputError: an unknown method or setting, or one that does not fit task or model.
        MismatchError: the folder holds another run.
        BusyError: another process works in the folder.
    """
    usual = usual_model(method, task.signature.target.type)
    name = model or usual if isinstance(model, str) else name_of(model)
    given = {} if isinstance(model, str) else {name: model}
    order = Order(task.name, method, name, seed, settings or {})
    with ExitStack() as stack:
        if run is None:
            run = stack.enter_context(tempfile.TemporaryDirectory(prefix="afina-"))
        folder = Path(run)
        models = Models(given=given, journal=Journal(folder / "journal.sqlite"), budget=budget)
        return tune_in(folder, task, order, models=models, watch=watch)


def name_of(lm: "LM") -> str:
    """A language model's name, as it stands in a table."""
    return f"{lm.identity['provider']}:{lm.identity['name']}"


def import_peft(
    task: Task,
    folder: str | Path,
    *,
    model: str,
    number: int | None = None,
    run: str | Path | None = None,
) -> Solver:
    """A solver with the prompt of a PEFT adapter; nothing is trained but an encoder's head.

    ``number`` names one of a multitask prompt's tasks, from 0; ``run`` is as in `tune`.

    Raises:
        InputError: there is no adapter of a soft prompt, or the task cannot be answered.
        MismatchError: it is of another model.
        ArtefactError: it is damaged or hostile.
    """
    settings = imported_from(Path(folder), {} if number is None else {"number": number})
    return tune(task, "imported", model=model, settings=settings, run=run)


def imported_from(folder: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """The settings of a run that imports a folder, wherever it goes on."""
    return {**settings, "folder": str(folder.absolute())}


def tune_in(
    folder: Path,
    task: Task,
    order: Order,
    *,
    models: Models,
    watch: Watch,
    disk: Disk = Disk(),
) -> Solver:
    """Tune in a folder: begin, go on, or load what is finished."""
    order = checked(order)
    make_folder(folder)
    with lock_folder(folder):
        sweep(folder)
        claim(folder, task, order, disk)
        if (folder / "bundle" / FACTS).is_file():
            return restore(load_bundle(folder / "bundle", disk), models)
        job = Job(
            part_of(task, order),
            order.model,
            lambda: models.load(order.model),
            bundle_at,
            folder,
            lm=lambda: models.lm(order.model, folder.name),
            named_lm=lambda name: models.lm(name, folder.name),
            embedding=lambda name: models.embedding(name, folder.name),
            seed=order.seed,
            settings=order.settings,
            watch=watch,
            disk=disk,
        )
        made = method_named(order.method)(job)
        keep_facts(folder, made, disk)
        save_bundle(folder / "bundle", made.solver.pack(), disk)
        return made.solver


def part_of(task: Task, order: Order) -> Task:
    """What a method may see: train, or the part of it that the order asks for, and dev.

    Raises:
        InputError: train has fewer examples than are asked for.
    """
    count = order.settings.get(EXAMPLES, 0)
    assert isinstance(count, int)
    return with_examples(task.for_tuning(), count, order.seed)


def keep_facts(folder: Path, made: Made, disk: Disk) -> None:
    """Write what is to be remembered of a solver's making."""
    replace_file(folder / MADE, json.dumps(made.facts, allow_nan=False).encode(), disk)


def examine_order(order: Order) -> "Diagnosis":
    """What the doctor says of an order; nothing is kept."""
    order = checked(order)
    job = Job(
        part_of(load_task(order.task), order),
        order.model,
        lambda: load_model(order.model),
        bundle_at,
        Path(),
        seed=order.seed,
        settings=order.settings,
    )
    return examine(job, order.method)


def checked(order: Order) -> Order:
    """The order with its settings as their types, and no model where the method takes none.

    Raises:
        InputError: there is no such method, it has no such settings, or the seed is no seed.
    """
    method_named(order.method)
    if not 0 <= order.seed < 2**63:
        raise InputError(f"expected a seed of 0 or more and below 2**63, got {order.seed}")
    settings = typed_settings(order.method, order.settings)
    if order.method == MULTITASK:
        settings = pinned_sources(settings)
    if retrieves(order.method, settings):
        settings = pinned_retrieval(settings)
    if order.method == WRITTEN:
        settings = pinned_prompt(settings)
    model = "" if order.method in WITHOUT_MODEL else order.model
    return replace(order, model=model, settings=settings)


def load(path: str | Path, *, models: Models = Models()) -> Solver:
    """Load a bundle: its folder, or the folder of the run that made it.

    Raises:
        InputError: there is none.
        ArtefactError: it is damaged.
        MismatchError: the model of that name has other weights now.
    """
    return restore(bundle_at(path), models)


def ensemble(paths: Sequence[str | Path], how: str = "mean") -> Solver:
    """One solver of several finished runs: the mean of their probabilities, or their vote.

    ``paths`` are folders of runs or of bundles, all of one model and signature. ``save_bundle``
    keeps what it gives.

    Raises:
        InputError: there is none, or they cannot be joined.
        MismatchError: they belong to different models or signatures.
    """
    return join([bundle_at(path) for path in paths], how)


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
    models: Models = Models(),
    watch: Watch = Watch(),
) -> Run:
    """Tune, evaluate on dev and keep both; a run of that name goes on, or is given back if done.

    One that is done, but lacks too many answers, asks for these again: an endpoint may have been
    down. An order that cannot be begun (no such task, method, setting or model) leaves nothing
    behind.
    """
    order = checked(order)
    task, models = load_task(order.task), models.once()
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
        check_same_endpoint(known[name], models)
        return known[name]
    for model in (order.model, *(str(order.settings.get(each, "")) for each in OTHERS)):
        if model:
            models.check(model)
    return store.add_run(_new_run(name, task, order))


def check_same_endpoint(run: Run, models: Models) -> None:
    """Refuse to take what one endpoint answered for another's, where one is named now.

    Raises:
        MismatchError: the run was measured at another endpoint.
    """
    if run.status != "done" or not is_speaker(run.model):
        return
    try:
        now = models.lm(run.model).identity.get("endpoint", "")
    except InputError:  # none is named, or without its key: what is kept can still be shown
        return
    kept = packed_of(run).settings.get("identity", {})
    before = kept.get("endpoint", "") if isinstance(kept, Mapping) else ""
    if before != now:
        raise MismatchError(
            f"run {run.name!r} was measured at {before}, not {now}; set OPENAI_BASE_URL as it was, "
            "or keep this one in another --home or under another name"
        )


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
