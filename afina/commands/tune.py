"""Commands that make runs: tune one or several side by side, resume, doctor, check."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.commands.arguments import (
    HOME,
    Home,
    Json,
    Model,
    RunName,
    Settings,
    Spend,
    TaskName,
    numbers,
    pairs,
)
from afina.commands.home import model_for, models_at, store_at, store_there
from afina.commands.printing import command_line, show
from afina.errors import InputError

if TYPE_CHECKING:
    from afina.store.order import Order
    from afina.store.store import Store


def check(task: TaskName, as_json: Json = False) -> None:
    """Look at a task's data: rows, labels, rejected rows, duplicates across splits."""
    from afina.task.check import inspect_task
    from afina.task_table import task_json, task_text

    found = inspect_task(task)
    show(task_json(found) if as_json else task_text(found))
    if not found.usable:
        raise typer.Exit(2)


def tune(
    task: TaskName,
    method: Annotated[str, typer.Option("--method", help="Which method.")] = "prompt-tuning",
    model: Model = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides every draw.")] = 0,
    name: Annotated[
        str | None, typer.Option("--name", help="The run's name; made up if left out.")
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", help="How many seeds, from --seed on, train side by side.")
    ] = 1,
    rates: Annotated[
        str | None,
        typer.Option("--learning-rates", help="Rates to train side by side: 0.03,0.1,0.3."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Tasks to learn from first: A,B (multitask).")
    ] = None,
    settings: Settings = None,
    budget: Spend = None,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Only tell about what it will take.")
    ] = False,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tune a prompt by one method, score it on dev, and keep the run; or several side by side."""
    from afina.keeping import new_name
    from afina.store.order import Order

    given = [*(settings or []), *([] if source is None else [f"source={source}"])]
    order = Order(task, method, model_for(model, method, task), seed, pairs(given))
    if dry:
        foretell(home, order, seeds, as_json=as_json)
        return
    if seeds == 1 and rates is None:
        whole = new_name(order) if name is None else name
        finish(home, order, whole, budget, as_json=as_json)
        return
    if name is not None:
        raise InputError(f"expected no --name for runs side by side, got {name!r}; leave it out")
    tune_side_by_side(home, order, seeds, numbers(rates), as_json=as_json)


def foretell(home: Path, order: "Order", seeds: int, *, as_json: bool) -> None:
    """Tell what an order would take; nothing is asked, and nothing is kept."""
    from afina.lineup import Lineup
    from afina.plan import plan
    from afina.plan_table import plan_text

    settings = {order.method: order.settings}
    lineup = Lineup(order.task, (order.method,), (order.model,), seeds, (0,), settings)
    found = plan(store_at(home), lineup, models=models_at(home))
    show(found.to_json() if as_json else plan_text(found))


def doctor(
    task: TaskName,
    method: Annotated[str, typer.Option("--method", help="Which method.")] = "prompt-tuning",
    model: Model = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Examine a run before it costs anything: padding, room, loss, learning rate, eight rows."""
    from afina.diagnosis_table import diagnosis_json, diagnosis_table
    from afina.store.order import Order
    from afina.tuning import examine_order

    found = examine_order(Order(task, method, model_for(model, method, task), 0, pairs(settings)))
    show(diagnosis_json(found) if as_json else diagnosis_table(found))


def resume(run: RunName, budget: Spend = None, home: Home = HOME, as_json: Json = False) -> None:
    """Go on with a run that was stopped; a finished one is shown unchanged."""
    from afina.store.order import order_of

    found = store_there(home).run(run)
    finish(home, order_of(found), found.name, budget, as_json=as_json)


def finish(
    home: Path, order: "Order", name: str, budget: str | None = None, *, as_json: bool
) -> None:
    """Run an order to its end and print its row."""
    from afina.console import watching
    from afina.keeping import bare_report, keep_run
    from afina.run_table import row_json, score_text

    store = store_at(home)
    with watching(lambda: resuming(store, name)) as watch:
        run = keep_run(store, order, name, models=models_at(home, budget), watch=watch)
    report, bare = store.report(run.name, "dev"), bare_report(store, run, "dev")
    show(row_json(run, report, bare) if as_json else score_text(run, report, bare))


def tune_side_by_side(
    home: Path, order: "Order", seeds: int, rates: list[float], *, as_json: bool
) -> None:
    """Run an order for several seeds and learning rates at once and print a row each."""
    from afina.console import watching
    from afina.run_table import row_json
    from afina.sweep import orders_of, sweep
    from afina.sweep_table import sweep_table

    with watching(command_line) as watch:
        found = sweep(store_at(home), orders_of(order, seeds=seeds, rates=rates), watch=watch)
    if as_json:
        rows = [
            {**row_json(each.run, each.report), "settings": dict(each.run.settings)}
            if each.report
            else {"run": each.run.name, "error": each.error}
            for each in found
        ]
        show({"rows": rows})
    else:
        show(sweep_table(found))


def resuming(store: "Store", name: str) -> str:
    """The command that goes on with a run, or begins again where none was begun."""
    if all(run.name != name for run in store.runs()):
        return command_line()
    home = [] if store.home == HOME.absolute() else ["--home", str(store.home)]
    return shlex.join(["afina", "resume", name, *home])
