"""A tuned prompt that writes may also search, draw, give several texts, or be read as it writes."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from afina.backbones.backbone import begin
from afina.backbones.generation import Generation
from afina.backbones.writing import stream
from afina.errors import InputError
from afina.soft.answer import Writing
from afina.soft.soft_solver import SoftSolver
from afina.solver import Solver, Values


def speaking(solver: Solver, settings: Generation) -> SoftSolver:
    """The same solver writing by these settings, but as long as it was tuned to.

    Raises:
        InputError: it is no soft prompt that answers by writing.
    """
    soft, answer = _writing(solver)
    return replace(soft, answer=Writing(answer.tokens, settings))


def spoken(solver: Solver, inputs: Values) -> Iterator[str]:
    """One answer piece by piece, as it is being written.

    Raises:
        InputError: it is no soft prompt that answers by writing, or by more than one text.
    """
    soft, answer = _writing(solver)
    read = soft.reader.read(inputs)
    with torch.no_grad():
        turn = begin(soft.backbone, [read.tokens], [soft.ready])
    return _stripped(stream(turn, answer.settings or Generation(tokens=answer.tokens)))


def _writing(solver: Solver) -> tuple[SoftSolver, Writing]:
    if isinstance(solver, SoftSolver) and isinstance(solver.answer, Writing):
        return solver, solver.answer
    raise InputError(
        "expected a tuned soft prompt that answers by writing, got another kind of run; ask it "
        "without beams, returns or a stream"
    )


def _stripped(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces without the space around the whole."""
    held, begun = "", False
    for piece in pieces:
        whole = held + piece
        ready = whole.rstrip()
        held = whole[len(ready) :]
        if ready:
            yield ready if begun else ready.lstrip()
            begun = True
