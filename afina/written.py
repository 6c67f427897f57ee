"""The written prompts of solvers: those in one, and a packed one's as a file for other tools."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from afina.errors import InputError
from afina.hard.interchange.prompt_file import write_prompt
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.hard.rag_solver import RagSolver
from afina.program.predict import once
from afina.program.program import Program
from afina.program.program_folder import write_program
from afina.program.program_solver import ProgramSolver
from afina.solver import Packed, Solver, Value, Values
from afina.task.example import Example
from afina.task.signature import Text

ROWS = 100  # of a task that a file is checked on
HOSTILE = "{{7*7}} {x.__class__} {0} ${} {% if x %} {# #} %} }} <b>&amp;\"' \\n `` ``` </s>\r\n\t"


def prompts_in(solver: Solver) -> Mapping[str, Prompt]:
    """The written prompts that a solver asks with, by name; none where it has none."""
    match solver:
        case PromptSolver():
            return {"prompt": solver.prompt}
        case RagSolver():
            return {"prompt": solver.asking.prompt}
        case ProgramSolver():
            return solver.program.prompts
    return {}


def export_written(packed: Packed, form: str, out: Path, examples: Sequence[Example]) -> int:
    """Write a packed solver's prompt as a file, checked on rows: how many say the same.

    A program becomes a folder with a file for each of its prompts.

    Raises:
        InputError: it has no single written prompt that all rows share, there is nothing to check
            it on, or the format cannot say what it says.
    """
    settings = packed.settings
    if packed.kind == "program":
        program = Program.from_json(settings.get("program"), once)
        return write_program(program, form, out, words=words_of(packed))
    if packed.kind != "prompt":
        raise InputError(
            f"expected a run with one written prompt to write as {form}, came one of the kind "
            f"{packed.kind!r}; tune one with zero-shot or few-shot, or choose another --to"
        )
    if settings.get("selection") is not None:
        raise InputError(
            "expected a prompt that all rows share, came one whose examples are chosen for each "
            "row; tune it with select=balanced or select=random"
        )
    prompt = Prompt.from_json(settings.get("prompt")).in_words(words_of(packed))
    return write_prompt(prompt, form, out, sample(prompt, examples))


def words_of(packed: Packed) -> Mapping[str, str]:
    """A packed solver's words for labels."""
    words = packed.settings.get("words")
    assert isinstance(words, Mapping)
    return words


def sample(prompt: Prompt, examples: Sequence[Example]) -> Iterator[Values]:
    """Rows of a task, evenly spread, and one whose texts hold what templates are made of.

    Raises:
        InputError: there are no rows.
    """
    if not examples:
        raise InputError("expected rows to check the file on, came none")
    step = max(len(examples) / ROWS, 1.0)
    for at in range(min(len(examples), ROWS)):
        yield examples[int(at * step)].inputs
    hostile: dict[str, Value] = dict(examples[0].inputs)
    for each in prompt.signature.inputs:
        if each.type == Text():
            hostile[each.name] = HOSTILE
    yield hostile
