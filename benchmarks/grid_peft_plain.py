"""PEFT's side of the grid without help: called as its documentation does."""

from benchmarks.grid_cell import Cell
from benchmarks.grid_peft import cell_of
from benchmarks.grid_peft_model import Case

NOTE = """\
As peft, without the help: labels as they come (so question answering trains on places that are off
by the virtual tokens, which counts as training here), no position ids, PEFT's own choice of a
head's modules, gradient checkpointing switched on before wrapping."""


def check(family: str, task: str, method: str) -> Cell:
    """PEFT's answers to all the checks of a cell, without help."""
    return cell_of(Case(family, task, method, helped=False))
