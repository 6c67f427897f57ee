"""A conversation as a model's tokens: by the model's own chat template, or as plain text."""

from collections.abc import Sequence

from jinja2 import TemplateError

from afina.backbones.frozen import Frozen
from afina.backbones.words import label_tokens
from afina.errors import ModelError
from afina.lm.request import Message, Request


def plain_text(messages: Sequence[Message]) -> str:
    """A conversation for a model without a chat template: it ends where the answer begins.

    >>> turns = [("system", "Tell."), ("user", "a:"), ("assistant", "b"), ("user", "c:")]
    >>> plain_text([Message(role, text) for role, text in turns])
    'Tell.\\n\\na: b\\n\\nc:'
    """
    text, before = "", ""
    for message in messages:
        if before == "user" and message.role == "assistant":
            text += "" if text[-1:].isspace() else " "
        elif before:
            text += "\n\n"
        text += message.content
        before = message.role
    return text


def tokens_of(frozen: Frozen, messages: Sequence[Message]) -> list[int]:
    """The conversation's ids, without the leading special tokens that a backbone adds itself.

    What looks like a special token in a turn is read as plain text, so no turn can end itself or
    speak for another.

    Raises:
        ModelError: the model's template refuses the conversation.
    """
    if frozen.tokenizer.chat_template is None:
        last = messages[-1].content
        opening = plain_text(messages).removesuffix(last)
        return [*(frozen.encode(opening) if opening else []), *frozen.encode(last)]
    ids = _templated(frozen, messages)
    lead = list(frozen.lead)
    return ids[len(lead) :] if lead and ids[: len(lead)] == lead else ids


def label_tokens_of(frozen: Frozen, request: Request) -> list[list[int]]:
    """The ids of each label as the answer begins with it: behind a template, or behind a space.

    Raises:
        InputError: two labels read alike.
    """
    front = request.messages[-1].content if frozen.tokenizer.chat_template is None else None
    return label_tokens(frozen, front, request.labels, {})


def _templated(frozen: Frozen, messages: Sequence[Message]) -> list[int]:
    """The template's own pieces with their special tokens, the turns between them as plain text."""
    marks = _marks(messages)
    turns = [
        {"role": message.role, "content": mark}
        for message, mark in zip(messages, marks, strict=True)
    ]
    try:
        text = frozen.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:
        raise ModelError(
            f"the chat template of {frozen.name} refuses turns of "
            f"{', '.join(message.role for message in messages)}: {error}"
        ) from error
    ids: list[int] = []
    for mark, message in zip(marks, messages, strict=True):
        before, found, text = str(text).partition(mark)
        if not found:
            raise ModelError(
                f"the chat template of {frozen.name} leaves out the {message.role} part; "
                "put what it says into another part"
            )
        ids += [*_own(frozen, before), *frozen.encode(message.content)]
    return ids + _own(frozen, text)


def _own(frozen: Frozen, piece: str) -> list[int]:
    ids: list[int] = frozen.tokenizer(piece, add_special_tokens=False)["input_ids"]
    return ids


def _marks(messages: Sequence[Message]) -> list[str]:
    """A text for each turn that stands in no turn."""
    sign = "\ue000"
    while any(sign in message.content for message in messages):
        sign += "\ue000"
    return [f"{sign}{number}\ue001" for number in range(len(messages))]
