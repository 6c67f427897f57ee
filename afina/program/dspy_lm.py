"""A language model of ours for modules of DSPy's: its calls are then journalled and budgeted.

The class is made of the ``dspy`` that the caller has imported, so that Afina needs none.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from afina.errors import CallError, InputError
from afina.lm.lm import LM, ask
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request

ROLES = ("system", "user", "assistant")


def dspy_lm(dspy: ModuleType, lm: LM, **settings: Any) -> Any:  # dspy's own types are not here
    """A ``dspy.BaseLM`` that asks a language model of ours; ``settings`` are DSPy's.

    DSPy's cache is off: the journal is one, and knows the endpoint.

    ``dspy.configure(lm=dspy_lm(dspy, lm))``
    """

    class Bridge(dspy.BaseLM):  # type: ignore[misc, name-defined]  # a class known at run time
        """Hands DSPy's requests to a language model of ours."""

        def forward(
            self, prompt: str | None = None, messages: Any = None, **given: Any
        ) -> SimpleNamespace:
            turns = messages or [{"role": "user", "content": prompt}]
            wished = {**self.kwargs, **given}
            return completion(ask(lm, requests_of(turns, wished)), name_of(lm))

    return Bridge(name_of(lm), cache=False, **settings)


def name_of(lm: LM) -> str:
    """The model as ``provider/name``, as DSPy writes it."""
    return "/".join(filter(None, (lm.identity.get("provider"), lm.identity.get("name"))))


def requests_of(turns: Sequence[Mapping[str, Any]], wished: Mapping[str, Any]) -> list[Request]:
    """A request for each of the answers wanted.

    Raises:
        InputError: a turn is no text, or a setting is none of ours.
    """
    settings = {name: value for name, value in wished.items() if value is not None}
    count = settings.pop("n", 1)
    first = settings.pop("rollout_id", 0) * count
    stop = settings.pop("stop", ())
    settings["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    own = {"temperature", "top_p", "max_tokens", "stop", "seed"}
    if unknown := set(settings) - own:
        raise InputError(
            f"expected settings out of n, rollout_id, {', '.join(sorted(own))}, got "
            f"{', '.join(sorted(unknown))}; leave it out"
        )
    messages = tuple(message_of(each) for each in turns)
    return [Request(messages, **settings, repeat=first + draw) for draw in range(count)]


def message_of(turn: Mapping[str, Any]) -> Message:
    """A turn of plain text; raises InputError."""
    match dict(turn):
        case {"role": "system" | "user" | "assistant" as role, "content": str(content)}:
            return Message(role, content)
    raise InputError(
        f"expected a turn of {', '.join(ROLES)} with a text, came {dict(turn)!r}; tools and images "
        "are not handed on"
    )


def completion(replies: Sequence[Reply | Missing], model: str) -> SimpleNamespace:
    """Replies in the shape of OpenAI's chat completions, as DSPy reads them.

    Raises:
        CallError: one is missing.
    """
    choices = []
    for reply in replies:
        if isinstance(reply, Missing):
            raise CallError(reply.reason, attempts=reply.attempts)
        message = SimpleNamespace(content=reply.text, role="assistant")
        choices.append(SimpleNamespace(message=message, finish_reason=reply.finish))
    read, written = (sum(getattr(each, name) for each in replies) for name in ("read", "written"))
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return SimpleNamespace(choices=choices, usage=usage, model=model)
