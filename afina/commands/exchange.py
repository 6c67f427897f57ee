"""Commands that exchange prompts with other tools: import and export."""

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
    pairs,
)
from afina.commands.home import model_for, store_there
from afina.commands.printing import show
from afina.commands.tune import finish
from afina.errors import InputError

if TYPE_CHECKING:
    from afina.store.order import Order


def import_prompt(
    source: Annotated[Path, typer.Argument(help="A written prompt's file, or a folder of PEFT's.")],
    task: Annotated[str, typer.Option("--task", help="A folder with task.toml, or a Hub name.")],
    model: Model = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The run's name; made up if left out.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", help="The run whose written prompt was changed.")
    ] = None,
    message: Annotated[str | None, typer.Option("--message", help="What was changed.")] = None,
    settings: Settings = None,
    budget: Spend = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Take over a written prompt, or a soft one that PEFT trained; score it on dev, and keep it."""
    from afina.keeping import new_name
    from afina.store.prompts import describe_prompts, of_run

    order = order_for(source, task, model, pairs(settings))
    if order.method == "imported" and (parent, message) != (None, None):
        raise InputError("expected no --parent and --message for a soft prompt; leave them out")
    if parent is not None:
        of_run(store_there(home), parent)
    whole = new_name(order) if name is None else name
    finish(home, order, whole, budget, as_json=as_json)
    if (parent, message) != (None, None):
        describe_prompts(store_there(home), whole, parent=parent, message=message)


def order_for(source: Path, task: str, model: str | None, settings: dict[str, object]) -> "Order":
    """The order of a run that takes over a file's prompt, or a folder's."""
    from afina.store.order import Order
    from afina.tuning import imported_from

    if source.is_dir() or not (source.suffix or source.exists()):
        on = model_for(model, "imported", task)
        return Order(task, "imported", on, 0, imported_from(source, settings))
    on = model_for(model, "written", task)
    return Order(task, "written", on, 0, {**settings, "prompt": str(source)})


def export(
    run: RunName,
    form: Annotated[
        str,
        typer.Option(
            "--to",
            help="langchain, openai, promptfoo or markdown; peft, or prompt-embeds for vLLM.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file, or PEFT's folder.")],
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Write a run's prompt for another tool; a written one is checked to say there what it said."""
    from afina.hard.interchange.prompt_file import FORMATS
    from afina.keeping import packed_of
    from afina.packed import EXPORTS, export_prompt
    from afina.task.task import load_task
    from afina.written import export_written

    if form not in (*FORMATS, *EXPORTS):
        raise InputError(f"expected --to {', '.join((*FORMATS, *EXPORTS))}, got {form!r}")
    found = store_there(home).run(run)
    told: dict[str, object] = {"to": form, "out": str(out)}
    text = f"wrote {out}"
    if form in FORMATS:
        checked = export_written(packed_of(found), form, out, load_task(found.task).dev)
        told["checked"] = checked
        text = f"{text}; checked: {checked} rows render byte-equal to what was scored"
    else:
        export_prompt(packed_of(found), form, out)
    show(told if as_json else text)
