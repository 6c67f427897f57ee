"""A talk with a prompt's language model: lines in, replies out, over one conversation."""

from collections.abc import Iterable, Iterator

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

    Raises:
        InputError: the solver has no prompt to talk to, or the user prompt is locked.
        CallError: the model gave no reply.
    """
    if not isinstance(solver, PromptSolver):
        raise InputError("expected a run with a written prompt to talk to; tune one with few-shot")
    worded = solver.prompt.in_words(solver.words)
    told, overridden = Conversation.of(worded), False
    for line in filter(str.strip, lines):
        if line.startswith(USER):
            told, overridden = told.with_user(line.removeprefix(USER)), True
            continue
        inputs = [field.name for field in worded.signature.inputs]
        if overridden and len(inputs) > 1:
            raise InputError(f"expected a prompt of one input to fill, got {', '.join(inputs)}")
        told = told.say({inputs[0]: line} if overridden else line)
        (reply,) = ask(solver.lm, [request(solver, told)])
        if isinstance(reply, Missing):
            raise CallError(reply.reason, attempts=reply.attempts)
        yield reply.text
        told = told.heard(reply.text)


def request(solver: PromptSolver, told: Conversation) -> Request:
    """The conversation as a request: a text is wanted, whatever the labels are."""
    settings = solver.settings
    return Request(
        told.messages(), temperature=settings.temperature, max_tokens=settings.max_tokens
    )
