"""Comparing: the contenders of a lineup tuned one after the other, kept, and set side by side."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from afina.disk import Disk, replace_file
from afina.errors import (
    AfinaError,
    ArtefactError,
    BudgetError,
    BusyError,
    InputError,
    Interrupted,
    MismatchError,
    SealedError,
    SpaceError,
)
from afina.evaluation.compare import Comparison, Entry
from afina.evaluation.compare import compare as set_side_by_side
from afina.keeping import keep_run, kept_runs, spent_by
from afina.lineup import (
    Contender,
    Lineup,
    check_lineup,
    compared_name,
    contenders,
    drawn_by,
    in_order,
    lineup_name,
)
from afina.lm.budget import UNLIMITED, Budget
from afina.methods import WEIGHTS, WITHOUT_MODEL, method_named
from afina.models import Models
from afina.routes import Unfit, fitting, usual_models
from afina.solver import Usage
from afina.store.order import Order, read_facts
from afina.store.run import Run
from afina.store.store import Store, make_folder
from afina.task.task import Task, load_task
from afina.training.watch import Watch

# What is no one method's fault ends a comparison; any other error is a row of its table.
FATAL = (
    ArtefactError,
    BudgetError,
    BusyError,
    Interrupted,
    MismatchError,
    SealedError,
    SpaceError,
)
FOLDER = "comparisons"  # under the home


@dataclass(frozen=True)
class Standing:
    """How far a contender has come, for who watches."""

    contender: Contender
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    entry: Entry | None = None


Show = Callable[[Sequence[Standing]], None]


@dataclass(frozen=True)
class Compared:
    """A comparison with all that its report tells: its runs' entries, and what was left out."""

    name: str
    lineup: Lineup
    task: Task
    comparison: Comparison
    entries: tuple[Entry, ...]
    smaller: tuple[Entry, ...]
    unfit: tuple[Unfit, ...]


def unseen(standings: Sequence[Standing]) -> None:
    """Shows nothing."""


def compare(
    store: Store,
    task: str,
    methods: Sequence[str] = (),
    *,
    model: str | Sequence[str] = (),
    seeds: int = 1,
    sizes: Sequence[int] = (0,),
    settings: Mapping[str, Mapping[str, object]] | None = None,
    models: Models = Models(),
    watch: Watch = Watch(),
) -> Comparison:
    """Tune every method on one task, in the order given, and judge the differences on dev.

    Without methods: all that fit, cheapest first; without a model: the built-in ones that they
    need. A method runs on the models that it fits. ``sizes`` are numbers of examples of train, 0
    for all; the largest makes the rows, the others learning curves. A method that fails keeps its
    row, with the reason. Called again it goes on where it stopped.

    Raises:
        InputError: a method's name is unknown, the task cannot be loaded, or the models' budget
            is too small.
        BudgetError: the budget is spent; what is finished is kept.
    """
    names = (model,) if isinstance(model, str) else tuple(model)
    lineup = Lineup(task, tuple(methods), names, seeds, tuple(sizes), settings or {})
    return compare_lineup(store, lineup, models=models, watch=watch).comparison


def compare_lineup(
    store: Store,
    lineup: Lineup,
    *,
    models: Models = Models(),
    watch: Watch = Watch(),
    show: Show = unseen,
) -> Compared:
    """Tune every contender, keep what was compared under a name, and set the reports side by side.

    A lineup without methods takes all that fit.

    Raises:
        InputError: as `compare` does.
        BudgetError: the budget is spent; what is finished is kept.
    """
    task, models = load_task(lineup.task), models.once()
    lineup, unfit = filled(lineup, task, models)
    return run_lineup(store, task, lineup, unfit, models, watch, show)


def run_lineup(
    store: Store,
    task: Task,
    lineup: Lineup,
    unfit: Sequence[Unfit],
    models: Models,
    watch: Watch = Watch(),
    show: Show = unseen,
) -> Compared:
    """Tune what is not done of a lineup, and set all of it side by side."""
    sizes = distinct(lineup.sizes, len(task.train))
    races = raced(lineup, unfit, sizes)
    todo = unfinished(store, task, [each for race in races for each in race])
    for order in todo:
        if order.model:
            models.check(order.model)
    check_budget(task, todo, models)
    name = keep_lineup(store, task, lineup, unfit)
    results = run_all(store, task, races, models, watch, show)
    entries, smaller = results[-1], tuple(entry for each in results[:-1] for entry in each)
    found = set_side_by_side(entries, task.metric, task=task.name, smaller=smaller)
    return Compared(name, lineup, task, found, entries, smaller, tuple(unfit))


def filled(lineup: Lineup, task: Task, models: Models) -> tuple[Lineup, list[Unfit]]:
    """The lineup with what was not named, all methods that fit or models; and what does not fit.

    Raises:
        InputError: a name is unknown, stands twice, or a number is none.
    """
    for method in lineup.methods:
        method_named(method)
    lineup = replace(lineup, models=lineup.models or usual_models(task, lineup.methods))
    if lineup.methods and len(lineup.models) == 1:  # it is tried, and its row says what is wrong
        check_lineup(lineup)
        return lineup, []
    fit, unfit = fitting(task, models, lineup.models, lineup.settings, lineup.methods)
    lineup = replace(lineup, methods=lineup.methods or tuple(fit))
    check_lineup(lineup)
    return lineup, unfit


def raced(lineup: Lineup, unfit: Sequence[Unfit], sizes: Sequence[int]) -> list[list[Contender]]:
    """The contenders of each size."""
    left_out = {(each.method, each.model) for each in unfit}
    return [contenders(lineup, size, left_out) for size in sizes]


def distinct(sizes: Sequence[int], most: int) -> list[int]:
    """Sizes from fewest to all, where a number that is all of train is all.

    Raises:
        InputError: train has fewer examples.
    """
    for size in sizes:
        if size > most:
            raise InputError(
                f"expected sizes of at most {most} examples, as many as train has, got {size}"
            )
    return in_order(list({0 if size == most else size for size in sizes}))


def unfinished(store: Store, task: Task, found: Sequence[Contender]) -> list[Order]:
    """The orders whose runs are not done."""
    done = {name for name, run in kept_runs(store).items() if run.status == "done"}
    orders = [order for each in found for order in each.orders]
    return [order for order in orders if compared_name(task, order) not in done]


def asks(order: Order) -> bool:
    """Whether an order asks a language model in words."""
    return order.method not in WEIGHTS and order.method not in WITHOUT_MODEL


def check_budget(task: Task, todo: Sequence[Order], models: Models) -> None:
    """Refuse a budget that cannot even score each prompt once.

    Raises:
        InputError: it is too small; the message names the part it is enough for.
    """
    cap, calls, enough = models.budget.calls, 0, list[str]()
    if cap is None:
        return
    asking = [order for order in todo if asks(order)]
    for order in asking:
        calls += len(task.dev)
        if calls <= cap:
            enough.append(f"{order.method}, seed {order.seed}")
    if calls > cap:
        raise InputError(
            f"expected a budget of at least {calls} calls, one for each of {len(task.dev)} examples"
            f" and {len(asking)} runs, got {cap}; it is enough for {'; '.join(enough) or 'none'}; "
            "raise it or name fewer --methods"
        )


def keep_lineup(store: Store, task: Task, lineup: Lineup, unfit: Sequence[Unfit]) -> str:
    """Write down what is compared, so that it can be shown again by its name."""
    name = lineup_name(task, lineup)
    folder = store.home / FOLDER
    make_folder(folder)
    facts = {"lineup": lineup.to_json(), "unfit": [vars(each) for each in unfit]}
    replace_file(folder / f"{name}.json", json.dumps(facts, indent=1).encode(), Disk())
    return name


def kept_lineups(store: Store) -> dict[str, Path]:
    """The files of comparisons by name."""
    return {path.stem: path for path in sorted((store.home / FOLDER).glob("*.json"))}


def read_lineup(path: Path) -> tuple[Lineup, list[Unfit]]:
    """A lineup that was kept, and what did not fit.

    Raises:
        ArtefactError: the file is damaged.
    """
    facts = read_facts(path, Disk())
    try:
        unfit = [Unfit(**each) for each in facts["unfit"]]
        return Lineup.from_json(facts["lineup"]), unfit
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); compare anew") from error


def compare_again(store: Store, name: str, *, models: Models = Models()) -> Compared | None:
    """A finished comparison by its name or its beginning; None where none is called so.

    Raises:
        InputError: several begin so, or runs of it are not finished.
        MismatchError: the data changed since.
    """
    found = [path for kept, path in kept_lineups(store).items() if kept.startswith(name)]
    if len(found) != 1:
        if found:
            names = ", ".join(path.stem for path in found)
            raise InputError(f"expected one comparison, got {name!r}, which begins {names}")
        return None
    lineup, unfit = read_lineup(found[0])
    task = load_task(lineup.task)
    if lineup_name(task, lineup) != found[0].stem:
        raise MismatchError(
            f"the data of {lineup.task} changed since {found[0].stem}; compare anew"
        )
    races = raced(lineup, unfit, distinct(lineup.sizes, len(task.train)))
    left = unfinished(store, task, [each for race in races for each in race])
    failed = [run.name for run in kept_runs(store).values() if run.status == "failed"]
    if any(compared_name(task, order) not in failed for order in left):
        raise InputError(f"{found[0].stem} is not finished; call the same afina compare again")
    return run_lineup(store, task, lineup, unfit, models.once())


def run_all(
    store: Store,
    task: Task,
    races: Sequence[Sequence[Contender]],
    models: Models,
    watch: Watch,
    show: Show,
) -> list[tuple[Entry, ...]]:
    """Run each contender of each size, and tell how far they are."""
    standings = [Standing(each) for race in races for each in race]
    names = {compared_name(task, order) for each in standings for order in each.contender.orders}
    for place, standing in enumerate(standings):
        standings[place] = replace(standing, state="running")
        show(standings)
        try:
            entry = entry_of(store, task, standing.contender, names, models, watch)
        except BudgetError as error:
            done = ", ".join(each.contender.method for each in standings[:place]) or "none"
            raise BudgetError(f"{error}; finished are: {done}") from error
        standings[place] = Standing(standing.contender, "failed" if entry.error else "done", entry)
    show(standings)
    found = iter([each.entry for each in standings if each.entry])
    return [tuple(next(found) for _ in race) for race in races]


def entry_of(
    store: Store,
    task: Task,
    contender: Contender,
    names: set[str],
    models: Models,
    watch: Watch,
) -> Entry:
    """A contender's reports, tuned now or before; or why it failed."""
    method, model = contender.method, contender.model
    seeds = tuple(order.seed for order in contender.orders)
    size = contender.size or len(task.train)
    try:
        runs = [
            keep_run(
                store,
                order,
                name,
                task=task,
                models=within(models, names - {name}),
                watch=watch,
            )
            for order in contender.orders
            for name in [compared_name(task, order)]
        ]
    except FATAL:
        raise
    except AfinaError as error:
        return Entry(method, model, seeds, (), error=str(error), examples=size)
    return Entry(
        method,
        model,
        seeds,
        tuple(store.report(run.name, "dev") for run in runs),
        runs=tuple(run.name for run in runs),
        tuning_seconds=sum(run.seconds for run in runs),
        tuning_usage=sum((run.usage for run in runs), Usage()),
        parameters=runs[0].parameters,
        examples=size,
        size_bytes=bundle_bytes(runs[0]),
        drawn=drawn_by(method, contender.size),
    )


def within(models: Models, others: set[str]) -> Models:
    """Models with what the comparison's other runs have left of its budget."""
    budget = models.budget
    if models.journal is None or budget == UNLIMITED:
        return models
    spent = sum((spent_by(models, name) for name in others), Usage())
    return replace(
        models,
        budget=Budget(
            calls=None if budget.calls is None else max(0, budget.calls - spent.calls),
            tokens=None if budget.tokens is None else max(0, budget.tokens - spent.tokens),
            money=None if budget.money is None else max(0.0, budget.money - spent.cost),
            seconds=budget.seconds,
        ),
    )


def bundle_bytes(run: Run) -> int:
    """What a run's bundle takes on the disk."""
    assert run.folder is not None
    return sum(path.stat().st_size for path in (run.folder / "bundle").iterdir())
