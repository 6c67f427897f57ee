"""What a command prints, and how it names itself."""

import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import typer

WIDE = 10_000  # columns of what is no terminal: nothing is folded in a pipe


def show(thing: Any) -> None:
    """Print JSON as JSON, a text as it is, and anything else as rich draws it."""
    from rich.console import Console

    if isinstance(thing, Mapping | list):
        typer.echo(json.dumps(thing, ensure_ascii=False, allow_nan=False))
    elif isinstance(thing, str):
        typer.echo(thing)
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(thing)


def command_line() -> str:
    """The command that runs."""
    return shlex.join(["afina", *sys.argv[1:]])
