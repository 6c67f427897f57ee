"""Asking for instructions, and putting them and examples in a program's prompts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from afina.errors import InputError
from afina.hard.form import answer
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.hard.template import plain
from afina.lm.lm import ask
from afina.lm.reply import Missing
from afina.program.program import Program
from afina.program.scored import Mark
from afina.program.search import Search
from afina.program.trace import Turn
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import Signature

LONGEST = 8_000  # characters of an instruction; longer ones are no instructions
FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)
HEAD = re.compile(r"\A(?:new |improved |better )?instructions?:\s*", re.IGNORECASE)
WARMTH = 0.7  # temperature at which proposals are drawn
WRITTEN = 1500  # tokens a proposal may take


def propose(
    search: Search, prompt: Prompt, rows: Sequence[Mapping[str, Value]], *, repeat: int = 0
) -> list[str]:
    """Texts that the proposer writes, a row each; "" where it wrote none that can be used.

    Raises:
        BudgetError: no calls are left.
        CallError: a call failed.
    """
    if not rows:
        return []
    search.pause()
    settings = CallSettings(WARMTH, WRITTEN, search.means.calls.concurrency)
    solver = PromptSolver(prompt, search.proposer, "", settings=settings)
    requests = [replace(solver.request(prompt, row), repeat=repeat) for row in rows]
    replies = ask(search.proposer, requests, settings.concurrency)
    failed = [each for each in replies if isinstance(each, Missing)]
    if failed:
        search.check_there(search.proposer, failed[0].reason)
        search.note(f"a proposal could not be asked for: {failed[0].reason}")
    texts = ["" if isinstance(each, Missing) else clean(each.text) for each in replies]
    if texts.count("") > len(failed):
        search.note("some of what the proposer wrote is no instruction, and was left out")
    return texts


def clean(text: str) -> str:
    """The instruction in a reply; nothing where there is none.

    >>> clean("Instruction: Tell the mood.")
    'Tell the mood.'
    """
    text = text.strip()
    if fenced := FENCE.match(text):
        text = fenced[1].strip()
    text = HEAD.sub("", text).strip().removeprefix('"').removesuffix('"').strip()
    wordy = any(letter.isalpha() for letter in text) and " " in text
    return text if wordy and len(text) <= LONGEST else ""


def step_of(signature: Signature) -> str:
    """A step's fields in a line."""
    return str(signature)


def instructed(program: Program, name: str, text: str) -> Program:
    """The program whose prompt of a name has another instruction.

    Raises:
        InputError: the prompt's system part does not render its instruction.
    """
    prompt = program.prompts[name]
    if "instruction" not in prompt.system.names:
        raise InputError(
            f"expected a prompt {name!r} whose system part names the instruction, got "
            f"{prompt.system.text[:80]!r}; put {{{{ instruction }}}} where it shall stand"
        )
    signature = replace(prompt.signature, instruction=text)
    return program.with_prompt(name, replace(prompt, signature=signature))


def showing(program: Program, shown: Mapping[str, Sequence[Example]]) -> Program:
    """The program whose prompts show examples in place of those they had."""
    for name, examples in shown.items():
        prompt = replace(program.prompts[name], demonstrations=tuple(examples))
        program = program.with_prompt(name, prompt)
    return program


def labelled(prompt: Prompt, examples: Sequence[Example]) -> list[Example]:
    """The examples that a prompt can show as they are: all of its inputs and its target in them."""
    names = [field.name for field in prompt.signature.inputs]
    target = prompt.signature.target.name
    outputs = [field.name for field in prompt.signature.outputs]
    return [
        replace(each, outputs={n: v for n, v in each.outputs.items() if n in outputs})
        for each in examples
        if all(name in each.inputs for name in names) and target in each.outputs
    ]


def turns_shown(program: Program, marks: Sequence[Mark], name: str) -> list[Example]:
    """The turns of a prompt in traces, as examples."""
    return [
        example_of(turn, mark.example)
        for mark in marks
        for turn in mark.trace.of(name)
        if turn.outputs is not None
    ]


def example_of(turn: Turn, source: Example) -> Example:
    """A turn as an example, which must not be parted from the one it came from."""
    assert turn.outputs is not None
    return Example.of(dict(turn.inputs), dict(turn.outputs), group=source.id)


def cases(prompt: Prompt, name: str, marks: Sequence[Mark]) -> str:
    """What a prompt was given and wrote in traces, with what was said of them."""
    return "\n\n".join(
        case(prompt.signature, turn.inputs, turn.outputs, turn.text, mark.feedback)
        for mark in marks
        for turn in mark.trace.of(name)
    )


def wanted_cases(prompt: Prompt, examples: Sequence[Example]) -> str:
    """Rows with what is wanted of them."""
    return "\n\n".join(
        case(prompt.signature, each.inputs, each.outputs, "", "") for each in examples
    )


def case(
    signature: Signature, inputs: Values, outputs: Values | None, text: str | None, feedback: str
) -> str:
    """One row as lines: inputs, outputs or else the text that came, and what was said."""
    lines = [f"{each.name}: {plain(inputs[each.name])}" for each in signature.inputs]
    if outputs is None:
        lines.append(f"it wrote: {text or 'nothing'}")
    elif len(signature.outputs) == 1:
        lines.append(f"{signature.target.name}: {answer(signature, outputs)}")
    else:
        lines.append(answer(signature, outputs))
    return "\n".join([*lines, *([f"judge: {feedback}"] if feedback else [])])
