"""Commands that ask a run: predict, chat, and test, which opens the sealed split."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.commands.arguments import HOME, Home, Json, RunName
from afina.commands.home import models_at, store_there
from afina.commands.printing import show
from afina.errors import InputError

if TYPE_CHECKING:
    from afina.solver import Solver, Values


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
    from afina.keeping import solver_of
    from afina.prediction_text import prediction_json, prediction_text
    from afina.store.order import signature_of
    from afina.task.inputs import read_input_file, read_inputs

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


def chat(run: RunName, home: Home = HOME) -> None:
    """Talk to a run's prompt, a turn a line; its system part stays first through all turns."""
    from afina.hard.talk import talk
    from afina.keeping import solver_of

    solver = solver_of(store_there(home).run(run), models_at(home))
    for reply in talk(solver, (line.rstrip("\n") for line in sys.stdin)):
        show(reply)


def unseal(run: RunName, home: Home = HOME, as_json: Json = False) -> None:
    """Open the sealed test split for a run and score it; every look is counted and shown."""
    from afina.keeping import bare_report, open_test
    from afina.run_table import row_json, score_text

    store = store_there(home)
    report = open_test(store, run, models=models_at(home))
    found, bare = store.run(run), bare_report(store, store.run(run), "test")
    show(row_json(found, report, bare) if as_json else score_text(found, report, bare))
