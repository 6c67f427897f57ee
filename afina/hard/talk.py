"""A talk with a prompt's language model: lines in, replies out, over one conversation."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from afina.errors import CallError, InputError
from afina.hard.conversation import Conversation
from afina.hard.prompt_solver import PromptSolver
from afina.lm.lm import ask
from afina.lm.reply import Missing
from afina.lm.request import Request
from afina.solver import Solver

USER = "/user "  # a line that begins so gives another user template


def talk(solver: Solver, lines: Iterable[str]) -> Iterator[str]:
    """Reply to each line that says something; the system part stays through all turns.

    ``/user TEMPLATE`` overrides the user prompt for the turns to come, where the prompt leaves it
    open and has one input, which a line then fills.

    Where examples are chosen for each row, the first line chooses those of the whole talk.

    Raises:
        InputError: the solver has no prompt to talk to, or the user prompt is locked.
        CallError: the model gave no reply.
    """
    if not isinstance(solver, PromptSolver):
        raise InputError("expected a run with a written prompt to talk to; tune one with few-shot")
    worded = solver.prompt.in_words(solver.words)
    inputs = [field.name for field in worded.signature.inputs]
    check_choice(solver, inputs)
    told, overridden = Conversation.of(worded), False
    for line in filter(str.strip, lines):
        if line.startswith(USER):
            told, overridden = told.with_user(line.removeprefix(USER)), True
            continue
        if not told.turns:
            (chosen,) = solver.prompts([{inputs[0]: line}])
            told = replace(told, prompt=chosen)
        if overridden and len(inputs) > 1:
            raise InputError(f"expected a prompt of one input to fill, got {', '.join(inputs)}")
        told = told.say({inputs[0]: line} if overridden else line)
        (reply,) = ask(solver.lm, [request(solver, told)])
        if isinstance(reply, Missing):
            raise CallError(reply.reason, attempts=reply.attempts)
        yield reply.text
        told = told.heard(reply.text)


def check_choice(solver: PromptSolver, inputs: Sequence[str]) -> None:
    """Refuse a prompt whose examples no line can choose."""
    if solver.selection is not None and len(inputs) > 1:
        raise InputError(
            f"expected a prompt of one input, by which a line chooses its examples, got "
            f"{', '.join(inputs)}; tune it with select=balanced or select=random"
        )


def request(solver: PromptSolver, told: Conversation) -> Request:
    """The conversation as a request: a text is wanted, whatever the labels are."""
    settings = solver.settings
    return Request(
        told.messages(), temperature=settings.temperature, max_tokens=settings.max_tokens
    )
