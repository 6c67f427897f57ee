"""The command line: every command by its name, and what the process ends with.

Help must be quick, so a command imports what it calls when it is called.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import typer

from afina.commands import aliases, answer, compare, exchange, journal, plan, retrieval, tune
from afina.commands import show as shown
from afina.errors import AfinaError, DataError

app = typer.Typer(
    name="afina",
    help="Find the best prompt for a task on a frozen model, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)

COMMANDS: dict[str, Callable[..., None]] = {
    "check": tune.check,
    "tune": tune.tune,
    "doctor": tune.doctor,
    "resume": tune.resume,
    "compare": compare.compare,
    "plan": plan.plan,
    "predict": answer.predict,
    "chat": answer.chat,
    "show": shown.show_run,
    "alias": aliases.alias,
    "index": retrieval.index_documents,
    "search": retrieval.search,
    "import": exchange.import_prompt,
    "export": exchange.export,
    "test": answer.unseal,
    "demo": compare.demo,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(journal.journal, name="journal")

STOPPED = {128 + signal.SIGINT, 128 + signal.SIGTERM}
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]  # typer has no public name for it


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
