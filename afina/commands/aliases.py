"""The command of aliases: list them, move one to a run, or back."""

from typing import Annotated

import typer

from afina.commands.arguments import HOME, Home, Json
from afina.commands.home import store_there
from afina.commands.printing import show
from afina.errors import InputError


def alias(
    name: Annotated[str | None, typer.Argument(help="Such as production; all if left out.")] = None,
    run: Annotated[str | None, typer.Argument(help="The run it shall stand for.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Move it to where it stood before.")] = False,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Give a run another name, such as production, move it on or back; or tell where it stood."""
    from afina.alias_table import alias_json, alias_table
    from afina.store.aliases import aliases, history, move_alias, move_back

    store = store_there(home)
    if back and (name is None or run is not None):
        raise InputError(
            "expected one alias to move back, and no run; write: afina alias NAME --back"
        )
    if name is not None and back:
        move_back(store, name)
    elif name is not None and run is not None:
        move_alias(store, name, run)
    places = aliases(store) if name is None else history(store, name)
    show(alias_json(places) if as_json else alias_table(places))
