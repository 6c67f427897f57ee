"""The command line: one function a command, which parses, calls and prints.

Help must be quick, so a command imports what it calls when it is called.
"""

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.errors import AfinaError, DataError, InputError

if TYPE_CHECKING:
    from afina.lm.journal import Journal
    from afina.lm.lm import LM
    from afina.models import Models
    from afina.retrieval.embedding import Embedding
    from afina.soft.portrait import Portrait
    from afina.solver import Solver, Values
    from afina.store.order import Order
    from afina.store.run import Run
    from afina.store.store import Store

app = typer.Typer(
    name="afina",
    help="Find the best prompt for a task on a frozen model, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)

journal = typer.Typer()
app.add_typer(journal, name="journal")

TaskName = Annotated[str, typer.Argument(help="A folder with task.toml, or a Hub dataset's name.")]
RunName = Annotated[str, typer.Argument(help="A run's name, or an unambiguous beginning of it.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="builtin:minilm, a folder, a Hub name (hf:owner/name), or openai:NAME at an endpoint.",
    ),
]
Home = Annotated[Path, typer.Option("--home", envvar="AFINA_HOME", help="Where runs are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the method, name=value; may be given again."),
]
Spend = Annotated[
    str | None,
    typer.Option("--budget", help="Caps on a language model's calls: calls=200,money=1.50."),
]
HOME = Path(".afina")
STOPPED = {128 + signal.SIGINT, 128 + signal.SIGTERM}
WIDE = 10_000  # columns of what is no terminal: nothing is folded in a pipe
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]  # typer has no public name for it
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
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tune a prompt by one method, score it on dev, and keep the run; or several side by side."""
    from afina.store.order import Order
    from afina.tuning import new_name

    given = [*(settings or []), *([] if source is None else [f"source={source}"])]
    order = Order(task, method, model, seed, pairs(given))
    if seeds == 1 and rates is None:
        whole = new_name(order) if name is None else name
        finish(home, order, whole, budget, as_json=as_json)
        return
    if name is not None:
        raise InputError(f"expected no --name for runs side by side, got {name!r}; leave it out")
    tune_side_by_side(home, order, seeds, numbers(rates), as_json=as_json)


@app.command()
def doctor(
    task: TaskName,
    method: Annotated[str, typer.Option("--method", help="Which method.")] = "prompt-tuning",
    model: Model = MINILM,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Examine a run before it costs anything: padding, room, loss, learning rate, eight rows."""
    from afina.diagnosis_table import diagnosis_json, diagnosis_table
    from afina.store.order import Order
    from afina.tuning import examine_order

    found = examine_order(Order(task, method, model, 0, pairs(settings)))
    show(diagnosis_json(found) if as_json else diagnosis_table(found))


@app.command()
def resume(run: RunName, budget: Spend = None, home: Home = HOME, as_json: Json = False) -> None:
    """Go on with a run that was stopped; a finished one is shown unchanged."""
    from afina.store.order import order_of

    found = store_there(home).run(run)
    finish(home, order_of(found), found.name, budget, as_json=as_json)


@app.command()
def compare(
    task: TaskName,
    methods: Annotated[str, typer.Option("--methods", help="Names with commas between.")],
    model: Model = MINILM,
    seeds: Annotated[int, typer.Option("--seeds", help="Repeats of methods that draw.")] = 1,
    settings: Settings = None,
    budget: Spend = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tune several methods on one task and judge the differences; goes on where it stopped."""
    from afina import tuning
    from afina.console import watching
    from afina.evaluation.table import comparison_table

    names = [each.strip() for each in methods.split(",") if each.strip()]
    with watching(command_line) as watch:
        found = tuning.compare(
            store_at(home),
            task,
            names,
            model=model,
            seeds=seeds,
            settings=by_method(settings, names),
            models=models_at(home, budget),
            watch=watch,
        )
    show(found.to_json() if as_json else comparison_table(found))


@app.command()
def predict(
    run: RunName,
    source: Annotated[
        Path | None, typer.Option("--input", help="JSONL of inputs; standard input if left out.")
    ] = None,
    beams: Annotated[int, typer.Option("--beams", help="Search texts so many at a time.")] = 1,
    returns: Annotated[int, typer.Option("--returns", help="Texts an input, as evidence.")] = 1,
    streamed: Annotated[bool, typer.Option("--stream", help="Print texts as they come.")] = False,
    home: Home = HOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Answer inputs with a run's prompt: a JSON object of inputs a line, an answer a line."""
    from afina.console import prediction_json, prediction_text
    from afina.store.order import signature_of
    from afina.task.inputs import read_input_file, read_inputs
    from afina.tuning import solver_of

    found = store_there(home).run(run)
    text = read_input_file(source) if source else sys.stdin.buffer.read()
    rows = read_inputs(text, signature_of(found), str(source or "standard input"))
    solver = searching(solver_of(found, models_at(home)), beams, returns)
    if streamed:
        say(solver, rows, as_json=as_json)
        return
    for row, answer in zip(rows, solver(rows), strict=True):
        show(prediction_json(row, answer) if as_json else prediction_text(row, answer))


def searching(solver: "Solver", beams: int, returns: int) -> "Solver":
    """The solver, writing by a beam search where one is asked for."""
    if beams == returns == 1:
        return solver
    from afina.backbones.generation import Generation
    from afina.soft.speaking import speaking

    return speaking(solver, Generation(beams=beams, returns=returns))


def say(solver: "Solver", rows: "Iterable[Values]", *, as_json: bool) -> None:
    """Print each answer while it is being written, a line each."""
    from afina.soft.speaking import spoken

    if as_json:
        raise InputError("expected --stream or --json, got both; JSON lines are printed whole")
    for row in rows:
        for piece in spoken(solver, row):
            typer.echo(piece, nl=False)
        typer.echo()


@app.command()
def chat(run: RunName, home: Home = HOME) -> None:
    """Talk to a run's prompt, a turn a line; its system part stays first through all turns."""
    from afina.hard.talk import talk
    from afina.tuning import solver_of

    solver = solver_of(store_there(home).run(run), models_at(home))
    for reply in talk(solver, (line.rstrip("\n") for line in sys.stdin)):
        show(reply)


@app.command("show")
def show_run(
    run: Annotated[str | None, typer.Argument(help="A run's name; all runs if left out.")] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Draw how alike the places of its prompt are: FILE.svg."),
    ] = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Show a run: scores, settings, the loss curve, a soft prompt's places; or list all runs."""
    from afina.console import run_json, run_table, runs_json, runs_table
    from afina.portrait_table import prompt_json, prompt_table
    from afina.tuning import describe

    if run is None:
        if picture is not None:
            raise InputError(f"expected the run to draw in {picture}, got none; name one")
        runs = store_there(home).runs() if (home / "store.db").is_file() else []
        show(runs_json(runs) if as_json else runs_table(runs))
        return
    found, facts = describe(store_there(home), run)
    seen = look_at(found)
    if picture is not None:
        draw(found, seen, picture)
    if as_json:
        show({**run_json(found, facts), "prompt": prompt_json(seen)})
    else:
        show(run_table(found, facts))
        show(prompt_table(seen))


@app.command("index")
def index_documents(
    source: Annotated[
        Path, typer.Argument(help="A folder, a document, or JSONL with _id, title and text.")
    ],
    into: Annotated[Path, typer.Option("--into", help="The folder of the index.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Makes the vectors; builtin:minilm if left out.")
    ] = None,
    lexical_only: Annotated[bool, typer.Option("--lexical-only", help="No vectors.")] = False,
    language: Annotated[
        str | None, typer.Option("--language", help="Of the texts: english, portuguese, … or any.")
    ] = None,
    words: Annotated[int, typer.Option("--words", help="The most words of a passage.")] = 200,
    overlap: Annotated[int, typer.Option("--overlap", help="Words passages share.")] = 40,
    remove: Annotated[bool, typer.Option("--remove", help="Drop the source's documents.")] = False,
    as_json: Json = False,
) -> None:
    """Make passages of documents searchable; again, to take over what changed in them."""
    from afina.passage_table import index_json, index_text, passages_written

    need_rag()
    from afina.console import stoppable
    from afina.retrieval.indexing import index_source, remove_from, wish_of

    wish = wish_of(model, language, words, overlap, lexical_only=lexical_only)
    with stoppable(command_line), passages_written() as written:
        if remove:
            done = remove_from(into, source)
        else:
            done = index_source(source, into, wish, embedding_named, usual=MINILM, show=written)
    show(index_json(done) if as_json else index_text(done))


@app.command()
def search(
    index: Annotated[Path, typer.Argument(help="The folder of an index.")],
    query: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many passages.")] = 5,
    mode: Annotated[
        str | None, typer.Option("--mode", help="lexical, dense or hybrid; the best if left out.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="JSONL with _id and text; ids out, as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Find the passages of an index that fit a query best."""
    need_rag()
    from afina.passage_table import passage_json, passage_table
    from afina.retrieval.indexing import answers, to_search
    from afina.retrieval.query_file import read_queries

    if (query is None) == (queries is None):
        raise InputError("expected a query or --queries FILE, got both or neither; give one")
    many = read_queries(queries) if queries else []
    found = to_search(index, mode, embedding_named)
    for line in answers(found, many, k, mode=mode):
        show(line)
    if query is not None:
        passages = found.search(query, k, mode=mode)
        if not as_json:
            show(passage_table(passages))
        for each in passages if as_json else ():
            show(passage_json(each))


@app.command("import")
def import_adapter(
    folder: Annotated[Path, typer.Argument(help="A folder with adapter_config.json of PEFT's.")],
    task: Annotated[str, typer.Option("--task", help="A folder with task.toml, or a Hub name.")],
    model: Model = MINILM,
    name: Annotated[
        str | None, typer.Option("--name", help="The run's name; made up if left out.")
    ] = None,
    settings: Settings = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Take over a soft prompt that PEFT trained, score it on dev, and keep it as a run."""
    from afina.store.order import Order
    from afina.tuning import imported_from, new_name

    order = Order(task, "imported", model, 0, imported_from(folder, pairs(settings)))
    finish(home, order, new_name(order) if name is None else name, as_json=as_json)


@app.command()
def export(
    run: RunName,
    form: Annotated[str, typer.Option("--to", help="peft, or prompt-embeds for vLLM.")],
    out: Annotated[Path, typer.Option("--out", help="PEFT's folder, or vLLM's file.")],
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Write a run's soft prompt for PEFT or vLLM, where they can answer alike."""
    from afina.packed import export_prompt
    from afina.tuning import packed_of

    export_prompt(packed_of(store_there(home).run(run)), form, out)
    show({"to": form, "out": str(out)} if as_json else f"wrote {out}")


@journal.callback(invoke_without_command=True)
def spent(context: typer.Context, home: Home = HOME, as_json: Json = False) -> None:
    """Show what language models took, by run and model; or forget answers."""
    from afina.journal_table import journal_json, journal_table

    context.obj = (home, as_json)
    if context.invoked_subcommand is None:
        path = home / "journal.sqlite"
        with closing(journal_at(path)) as kept:
            lines = kept.account() if path.is_file() else []
        show(journal_json(lines) if as_json else journal_table(lines))


@journal.command()
def forget(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option("--model", help="Calls of this model, as the table has it.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Calls of this run.")] = None,
    older_than: Annotated[
        float | None, typer.Option("--older-than", help="Calls older than so many days.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Calls that have no answer.")] = False,
    home: Annotated[Path | None, typer.Option("--home", help="Where runs are kept.")] = None,
    as_json: Json = False,
) -> None:
    """Erase the texts of calls that fit all that is given; they are asked, and paid for, anew."""
    from afina.lm.forgetting import Selection

    selection = Selection(model, run, older_than, failed)
    usual, usual_json = context.obj
    path = (home or usual) / "journal.sqlite"
    if not path.is_file():
        raise InputError(f"no calls are kept in {path.parent}; name another --home")
    with closing(journal_at(path)) as kept:
        count = kept.forget(selection)
    show({"forgotten": count} if as_json or usual_json else f"forgot {count} calls")


@app.command("test")
def unseal(run: RunName, home: Home = HOME, as_json: Json = False) -> None:
    """Open the sealed test split for a run and score it; every look is counted and shown."""
    from afina.console import row_json, score_text
    from afina.tuning import open_test

    store = store_there(home)
    report = open_test(store, run, models=models_at(home))
    show(row_json(store.run(run), report) if as_json else score_text(store.run(run), report))


@app.command()
def demo(home: Home = HOME, as_json: Json = False) -> None:
    """Compare three methods on the example task, offline, in a few minutes."""
    if not (DEMO / "task.toml").is_file():
        raise InputError(f"no example task at {DEMO}; run this from a clone of the repository")
    compare(str(DEMO), DEMO_METHODS, MINILM, home=home, as_json=as_json)


def need_rag() -> None:
    """Raises InputError where the packages of retrieval are not installed."""
    from importlib.util import find_spec

    for package in ("lancedb", "pypdf"):
        if find_spec(package) is None:
            raise InputError(f"{package} is not installed: run pip install 'afina[rag]'")


def embedding_named(name: str) -> "Embedding":
    """The model of vectors of that name, which needs torch."""
    from afina.training.embedding import load_embedding

    return load_embedding(name)


def look_at(run: "Run") -> "Portrait | AfinaError | None":
    """What can be seen of a finished run's soft prompt, or why it cannot; None if it has none."""
    from afina.packed import portrait_of
    from afina.tuning import bundle_at

    if run.status != "done" or run.folder is None:
        return None
    try:
        return portrait_of(bundle_at(run.folder))
    except AfinaError as error:  # the scores are shown all the same
        return error


def draw(run: "Run", seen: "Portrait | AfinaError | None", path: Path) -> None:
    """Write the picture of how alike the places of a run's prompt are.

    Raises:
        InputError: the run has no soft prompt, or the file cannot be written or is no .svg.
        AfinaError: the prompt cannot be seen.
    """
    from afina.disk import Disk, replace_file
    from afina.heatmap import heat_map

    if isinstance(seen, AfinaError):
        raise seen
    if seen is None:
        raise InputError(
            f"expected a finished run with a soft prompt, got {run.name!r}, {run.method}"
        )
    if path.suffix != ".svg":
        raise InputError(f"expected a file that ends in .svg, got {str(path)!r}")
    title = f"Similarity of the places of {run.name}"
    note = "The cosine of each pair of places: how alike they are, not what they mean."
    replace_file(path, heat_map(seen.similarity, title, note).encode(), Disk())


def finish(
    home: Path, order: "Order", name: str, budget: str | None = None, *, as_json: bool
) -> None:
    """Run an order to its end and print its row."""
    from afina.console import row_json, score_text, watching
    from afina.tuning import keep_run

    store = store_at(home)
    with watching(lambda: resuming(store, name)) as watch:
        run = keep_run(store, order, name, models=models_at(home, budget), watch=watch)
    report = store.report(run.name, "dev")
    show(row_json(run, report) if as_json else score_text(run, report))


def tune_side_by_side(
    home: Path, order: "Order", seeds: int, rates: list[float], *, as_json: bool
) -> None:
    """Run an order for several seeds and learning rates at once and print a row each."""
    from afina.console import row_json, watching
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


def numbers(text: str | None) -> list[float]:
    """Numbers with commas between."""
    try:
        return [float(part) for part in (text or "").split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"expected numbers with commas between, got {text!r}") from error


def resuming(store: "Store", name: str) -> str:
    """The command that goes on with a run, or begins again where none was begun."""
    if all(run.name != name for run in store.runs()):
        return command_line()
    home = [] if store.home == HOME.absolute() else ["--home", str(store.home)]
    return shlex.join(["afina", "resume", name, *home])


def command_line() -> str:
    """The command that runs."""
    return shlex.join(["afina", *sys.argv[1:]])


def show(thing: Any) -> None:
    """Print JSON as JSON, a text as it is, and anything else as rich draws it."""
    from rich.console import Console

    if isinstance(thing, Mapping | list):
        typer.echo(json.dumps(thing, ensure_ascii=False, allow_nan=False))
    elif isinstance(thing, str):
        typer.echo(thing)
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(thing)


def store_at(home: Path) -> "Store":
    from afina.store.store import Store

    return Store(home.absolute())


def journal_at(path: Path) -> "Journal":
    from afina.lm.journal import Journal

    return Journal(path.absolute())


def models_at(home: Path, budget: str | None = None) -> "Models":
    """Models as the environment names their endpoint; calls go through the home's journal."""
    from afina.lm.budget import UNLIMITED, read_budget
    from afina.models import Models, load_lm, remote_lm

    def speaker(name: str) -> "LM":
        from afina.lm.endpoint import endpoint_from

        if name.startswith("scripted:"):
            return load_lm(name)
        key, prices = os.environ.get("AFINA_KEY_FILE"), home / "prices.toml"
        endpoint = endpoint_from(os.environ, Path(key) if key else None)
        return remote_lm(name, endpoint, prices if prices.is_file() else None)

    return Models(
        speaker=speaker,
        journal=journal_at(home / "journal.sqlite"),
        budget=UNLIMITED if budget is None else read_budget(budget),
    )


def store_there(home: Path) -> "Store":
    """The store in a folder that has one.

    Raises:
        InputError: it has none; nothing is made there.
    """
    if not (home / "store.db").is_file():
        raise InputError(f"no runs are kept in {home}; name another --home, or tune a prompt first")
    return store_at(home)


def pairs(settings: Iterable[str] | None) -> dict[str, object]:
    """``name=value`` pairs.

    Raises:
        InputError: a pair has no equals sign, or a name comes twice.
    """
    found: dict[str, object] = {}
    for pair in settings or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"expected --set name=value, got {pair!r}")
        setting = name.strip().replace("-", "_")
        if setting in found:
            raise InputError(f"expected each setting once, got {setting!r} twice")
        found[setting] = value
    return found


def by_method(settings: Iterable[str] | None, methods: list[str]) -> dict[str, dict[str, object]]:
    """``method.name=value`` pairs, by method.

    Raises:
        InputError: a pair names no method of the comparison.
    """
    found: dict[str, list[str]] = {}
    for pair in settings or ():
        method, dot, rest = pair.partition(".")
        if not dot or method not in methods:
            raise InputError(
                f"expected --set method.name=value with a method of this comparison, got {pair!r}"
            )
        found.setdefault(method, []).append(rest)
    return {method: pairs(rests) for method, rests in found.items()}


def main() -> None:
    """Run the command; an error of a user's is one line and its exit code."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        code, message = app(standalone_mode=False), ""
    except AfinaError as error:
        code, message = error.exit_code, one_line(error)
    except USAGE_ERROR as error:
        code, message = error.exit_code, usage_fault(error)
    except SystemExit as end:
        code, message = end.code, ""
    if code in STOPPED and not message:
        message = "stopped; nothing is left half-written"
    if message:
        typer.echo(f"afina: {message}", err=True)
    sys.exit(code)


def one_line(error: AfinaError) -> str:
    """An error's message; only refused rows take a line each."""
    return str(error) if isinstance(error, DataError) else "; ".join(str(error).splitlines())


def usage_fault(error: Any) -> str:
    """What is wrong with a command line; nothing where help was printed instead."""
    message = error.format_message().strip().removesuffix(".")
    return f"{message}; see {error.ctx.command_path} --help" if message and error.ctx else message


if __name__ == "__main__":
    main()
