"""The journal's commands: what language models took, and which answers are forgotten."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from afina.commands.arguments import HOME, Home, Json
from afina.commands.home import journal_at
from afina.commands.printing import show
from afina.errors import InputError

journal = typer.Typer()


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
