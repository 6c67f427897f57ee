"""The command line: one function a command, which parses, calls and prints.

Help must be quick, so a command imports what it calls when it is called.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.errors import AfinaError, InputError

if TYPE_CHECKING:
    from afina.store.store import Store

app = typer.Typer(
    name="afina",
    help="Find the best prompt for a task on a frozen model, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)

TaskName = Annotated[str, typer.Argument(help="A folder with task.toml, or a Hub dataset's name.")]
RunName = Annotated[str, typer.Argument(help="A run's name, or an unambiguous beginning of it.")]
Model = Annotated[
    str, typer.Option("--model", help="builtin:minilm, a folder, or a Hub name (hf:owner/name).")
]
Home = Annotated[Path, typer.Option("--home", envvar="AFINA_HOME", help="Where runs are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the method, name=value; may be given again."),
]
HOME = Path(".afina")
MINILM = "builtin:minilm"
DEMO = Path(__file__).parent.parent / "examples" / "front_desk"
DEMO_METHODS = "majority,linear-probe,prompt-tuning"


@app.command()
def check(task: TaskName, as_json: Json = False) -> None:
    """Look at a task's data: rows, labels, rejected rows, duplicates across splits."""
    from afina.console import task_json, task_text
    from afina.task.check import inspect_task

    found = inspect_task(task)
    show(task_json(found) if as_json else task_text(found))
    if not found.usable:
        raise typer.Exit(2)


@app.command()
def tune(
    task: TaskName,
    method: Annotated[str, typer.Option("--method", help="Which method.")] = "prompt-tuning",
    model: Model = MINILM,
    seed: Annotated[int, typer.Option("--seed", help="Decides every draw.")] = 0,
    name: Annotated[str, typer.Option("--name", help="The run's name; made up if left out.")] = "",
    settings: Settings = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tune a prompt by one method, score it on dev, and keep the run."""
    from afina.tuning import Order, new_name

    order = Order(task, method, model, seed, pairs(settings))
    store = store_at(home)
    finish(store, order, name or new_name(order), as_json=as_json)


@app.command()
def resume(run: RunName, home: Home = HOME, as_json: Json = False) -> None:
    """Go on with a run that was stopped; a finished one is shown unchanged."""
    from afina.tuning import order_of

    store = store_at(home)
    found = store.run(run)
    finish(store, order_of(found), found.name, as_json=as_json)


@app.command()
def compare(
    task: TaskName,
    methods: Annotated[str, typer.Option("--methods", help="Names with commas between.")],
    model: Model = MINILM,
    seeds: Annotated[int, typer.Option("--seeds", help="Repeats of methods that draw.")] = 1,
    settings: Settings = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tune several methods on one task and judge the differences; goes on where it stopped."""
    from afina import tuning
    from afina.console import watching
    from afina.evaluation.table import comparison_table

    names = [each.strip() for each in methods.split(",") if each.strip()]
    with watching(f"afina compare {task} --methods {methods} …") as watch:
        found = tuning.compare(
            store_at(home),
            task,
            names,
            model=model,
            seeds=seeds,
            settings=by_method(settings, names),
            watch=watch,
        )
    show(found.to_json() if as_json else comparison_table(found))


@app.command()
def predict(
    run: RunName,
    source: Annotated[
        Path | None, typer.Option("--input", help="JSONL of inputs; standard input if left out.")
    ] = None,
    home: Home = HOME,
) -> None:
    """Answer inputs with a run's prompt: a JSON object of inputs a line, a prediction a line."""
    from afina.console import prediction_json
    from afina.task.inputs import read_inputs
    from afina.task.task import load_task
    from afina.tuning import solver_of

    found = store_at(home).run(run)
    text = source.read_bytes() if source else sys.stdin.buffer.read()
    rows = read_inputs(text, load_task(found.task).signature, str(source or "standard input"))
    for row, prediction in zip(rows, solver_of(found)(rows), strict=True):
        typer.echo(json.dumps(prediction_json(row, prediction), ensure_ascii=False))


@app.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="A run's name; all runs if left out.")] = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Show a run: scores with their intervals, settings, the loss curve; or list all runs."""
    from afina.console import run_json, run_table, runs_table
    from afina.tuning import describe

    store = store_at(home)
    if not run:
        runs = store.runs()
        show([run_json(each, {}) for each in runs] if as_json else runs_table(runs))
        return
    found, facts = describe(store, run)
    show(run_json(found, facts) if as_json else run_table(found, facts))


@app.command("test")
def unseal(run: RunName, home: Home = HOME, as_json: Json = False) -> None:
    """Open the sealed test split for a run and score it; every look is counted and shown."""
    from afina.console import row_json, score_text
    from afina.tuning import open_test

    store = store_at(home)
    report = open_test(store, run)
    show(row_json(store.run(run), report) if as_json else score_text(store.run(run), report))


@app.command()
def demo(home: Home = HOME, as_json: Json = False) -> None:
    """Compare three methods on the example task, offline, in a few minutes."""
    if not (DEMO / "task.toml").is_file():
        raise InputError(f"no example task at {DEMO}; run this from a clone of the repository")
    compare(str(DEMO), DEMO_METHODS, MINILM, 1, None, home, as_json)


def finish(store: "Store", order: Any, name: str, *, as_json: bool) -> None:
    """Run an order to its end and print its row."""
    from afina.console import row_json, score_text, watching
    from afina.tuning import keep_run

    with watching(f"afina resume {name}") as watch:
        run = keep_run(store, order, name, watch=watch)
    report = store.report(run.name, "dev")
    show(row_json(run, report) if as_json else score_text(run, report))


def show(thing: Any) -> None:
    """Print JSON as JSON, and anything else as rich draws it."""
    from rich.console import Console

    if isinstance(thing, Mapping | list):
        typer.echo(json.dumps(thing, ensure_ascii=False, allow_nan=False))
    else:
        Console(width=None if sys.stdout.isatty() else 100).print(thing)


def store_at(home: Path) -> "Store":
    from afina.store.store import Store

    return Store(home.absolute())


def pairs(settings: Iterable[str] | None) -> dict[str, object]:
    """``name=value`` pairs.

    Raises:
        InputError: a pair has no equals sign.
    """
    found: dict[str, object] = {}
    for pair in settings or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"expected --set name=value, got {pair!r}")
        found[name.strip().replace("-", "_")] = value
    return found


def by_method(settings: Iterable[str] | None, methods: list[str]) -> dict[str, dict[str, object]]:
    """``method.name=value`` pairs, by method.

    Raises:
        InputError: a pair names no method of the comparison.
    """
    found: dict[str, dict[str, object]] = {}
    for pair in settings or ():
        method, dot, rest = pair.partition(".")
        if not dot or method not in methods:
            raise InputError(
                f"expected --set method.name=value with a method of this comparison, got {pair!r}"
            )
        found.setdefault(method, {}).update(pairs([rest]))
    return found


def main() -> None:
    """Run the command; an error of ours is one line and its exit code."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app()
    except AfinaError as error:
        typer.echo(f"afina: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
