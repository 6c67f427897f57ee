"""From a task to a solver in a folder: tune there, go on there, and load it again."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from afina.disk import Disk, lock_folder, replace_file, sweep
from afina.errors import InputError
from afina.job import Job, Made
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.journal import Journal
from afina.making.multitask import MULTITASK, pinned_sources
from afina.making.retrieved import pinned_retrieval, retrieves
from afina.making.trained import examine
from afina.making.written import WRITTEN, pinned_prompt
from afina.method_settings import EXAMPLES, typed_settings
from afina.methods import WITHOUT_MODEL, method_named, usual_model
from afina.models import Models, load_model
from afina.packed import join, restore
from afina.solver import Packed, Solver
from afina.store.bundle import FACTS, load_bundle, save_bundle
from afina.store.order import MADE, Order, claim
from afina.store.store import make_folder
from afina.task.subset import with_examples
from afina.task.task import Task, load_task
from afina.training.watch import Watch

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
