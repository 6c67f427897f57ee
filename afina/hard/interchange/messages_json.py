"""Lists of messages as JSON: a role and a text each."""

from collections.abc import Iterator

from afina.errors import InputError
from afina.lm.request import Role
from afina.task.jsonl import read_json

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def json_of(text: str, place: str) -> object:
    """What a JSON text holds; raises InputError with the place where it is none."""
    try:
        return read_json(text)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error


def messages_in(data: object, place: str) -> Iterator[tuple[Role, str, str]]:
    """Role, text and place of each message of a list, or of an object that has only ``messages``.

    Raises:
        InputError: with the place of what is no message of text.
    """
    match data:
        case {"messages": list(messages), **rest} if not rest:
            pass
        case [*messages]:
            pass
        case _:
            raise InputError(f"{place}: expected a list of messages, or an object with it alone")
    for number, message in enumerate(messages):
        yield message_of(message, f"{place}, messages[{number}]")


def message_of(message: object, place: str) -> tuple[Role, str, str]:
    """Role, text and place of a message."""
    match message:
        case {"role": str(role), "content": str(content), **rest} if role in ROLES and not rest:
            return ROLES[role], content, place
        case {"role": str(role), "content": [{"type": "text", "text": str(content)}], **rest} if (
            role in ROLES and not rest
        ):
            return ROLES[role], content, place
        case {"role": str(role), **rest}:
            came = f"{role!r} with {', '.join(map(str, rest)) or 'no content'}"
        case _:
            came = type(message).__name__
    raise InputError(
        f"{place}: expected a role out of {', '.join(ROLES)} and a text as content, and nothing "
        f"else, came {came[:120]}"
    )
