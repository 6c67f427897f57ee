"""A program as a folder of plain text: a file a prompt, as Markdown, messages JSON or another's."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from afina.disk import write_fault
from afina.hard.interchange.prompt_file import read_prompt, write_prompt
from afina.hard.prompt import Prompt
from afina.program.program import Program
from afina.solver import Value, Values
from afina.task.signature import Boolean, Choice, FieldType, Integer, Number, Text

ENDINGS = {"markdown": "md", "promptfoo": "yaml"}  # of all other formats: json
HOSTILE = "{{7*7}} {x.__class__} {0} ${} {% if x %} {# #} %} }} <b>&amp;\"' \\n `` ``` </s>\n\t"


def write_program(
    program: Program, form: str, folder: Path, *, words: Mapping[str, str] = {}
) -> int:
    """Write each prompt as a file, and read it again: how many rows then say the same, all tried.

    ``words`` stand for labels as where the program is asked. What is tried are the examples'
    inputs, and texts that hold what templates are made of.

    Raises:
        InputError: the format cannot say what a prompt says, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_fault(folder, error, 0) from error
    target, count = program.signature.target, 0
    for name, prompt in program.prompts.items():
        worded = prompt.in_words(words) if prompt.signature.target == target else prompt
        count += write_prompt(worded, form, file_of(folder, name, form), rows_of(worded))
    return count


def read_program(program: Program, form: str, folder: Path) -> Program:
    """The program with the prompts of a folder; its flow is its own.

    Raises:
        InputError: a file is not there, or holds what is not taken over; it is named.
    """
    for name, prompt in program.prompts.items():
        path = file_of(folder, name, form)
        program = program.with_prompt(name, read_prompt(path, form, prompt.signature))
    return program


def file_of(folder: Path, name: str, form: str) -> Path:
    """Where a prompt stands; names are letters, digits, ``_`` and dots, so it stays inside."""
    return folder / f"{name}.{ENDINGS.get(form, 'json')}"


def rows_of(prompt: Prompt) -> Iterator[Values]:
    """Rows that a file is checked on."""
    for example in prompt.demonstrations:
        yield example.inputs
    yield {field.name: value_of(field.type) for field in prompt.signature.inputs}


def value_of(kind: FieldType) -> Value:
    """A value of a type, as hard to write as any."""
    match kind:
        case Text() | Choice(()):
            return HOSTILE
        case Choice(labels):
            return labels[0]
        case Integer():
            return -7
        case Number():
            return 0.5
        case Boolean():
            return False
    return ["a", HOSTILE]
