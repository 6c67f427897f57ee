"""Commands that exchange prompts with other tools: import and export."""

from pathlib import Path
from typing import Annotated

import typer

from afina.commands.arguments import HOME, MINILM, Home, Json, Model, RunName, Settings, pairs
from afina.commands.home import store_there
from afina.commands.printing import show
from afina.commands.tune import finish


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
