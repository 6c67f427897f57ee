"""LangChain's chat prompts: an object of theirs, or the JSON that ``langchain_core`` writes of one.

The JSON (``"lc": 1``) names a class and its arguments for each part. It is read as data: a few
names are known, all others are refused, and nothing that a file names is imported or called
(loading such a file ran code: CVE-2025-68664). Partial variables are texts from then on; a
placeholder for messages stands for the turns it was given, and for none where it is optional.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from afina.errors import InputError
from afina.hard.interchange.f_string import read_f_string, write_f_string
from afina.hard.interchange.messages_json import json_of
from afina.hard.interchange.mustache import read_mustache, write_mustache
from afina.hard.interchange.pieces import Pieces, Slot, filled, pieces_of, template_of
from afina.hard.interchange.transcript import Line, Transcript
from afina.hard.template import Template
from afina.lm.request import Role

ROOTS = ("langchain", "langchain_core")
CHAT = ("prompts", "chat")
TURNS: dict[str, Role] = {
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
}
MESSAGES: dict[str, Role] = {
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
}
HOMES = {
    "ChatPromptTemplate": [CHAT],
    "MessagesPlaceholder": [CHAT],
    "PromptTemplate": [("prompts", "prompt")],
    **{name: [CHAT] for name in TURNS},
    **{name: [("schema", "messages"), ("messages", name[:-7].lower())] for name in MESSAGES},
}
DECIDES_NOTHING = {  # arguments that do not change what a prompt says
    *("input_variables", "optional_variables", "input_types", "validate_template"),
    *("name", "id", "type", "tags", "metadata", "response_metadata"),
}
Known = Mapping[str, object]


@runtime_checkable
class Serialisable(Protocol):
    """What LangChain's objects are: they tell their class and arguments."""

    def to_json(self) -> object:
        """The class and the arguments."""


def read_langchain(text: str, place: str) -> Transcript:
    """The turns of a prompt that LangChain wrote as JSON.

    Raises:
        InputError: with the place of what is no part of a prompt.
    """
    return turns_of(json_of(text, place), place)


def from_langchain(prompt: Serialisable) -> Transcript:
    """The turns of a ``ChatPromptTemplate``, or of a ``PromptTemplate`` as a user's turn.

    Raises:
        InputError: with the place of what is no part of a prompt, such as a function.
    """
    return turns_of(as_data(prompt, "the prompt"), "the prompt")


def as_data(thing: object, place: str) -> object:
    """An object of LangChain's and all in it as plain data."""
    match thing:
        case None | str() | int() | float():
            return thing
        case Mapping():
            return {str(name): as_data(each, f"{place}, {name}") for name, each in thing.items()}
        case list() | tuple():
            return [as_data(each, f"{place}[{at}]") for at, each in enumerate(thing)]
        case Serialisable():
            return as_data(thing.to_json(), place)
    raise InputError(f"{place}: expected a text, a list or a part of a prompt, came {thing!r:.80}")


def turns_of(data: object, place: str) -> Transcript:
    """The turns of a prompt as data."""
    name, arguments = part_of(data, place)
    if name == "PromptTemplate":
        return Transcript((Line("user", template_in(data, place, {}), place),))
    if name != "ChatPromptTemplate":
        raise InputError(f"{place}: expected a ChatPromptTemplate, came a {name}")
    known = texts(arguments.pop("partial_variables", None), f"{place}, partial_variables")
    parts = arguments.pop("messages", None)
    done(arguments, place)
    if not isinstance(parts, list):
        raise InputError(f"{place}: expected messages, came {type(parts).__name__}")
    lines = list[Line]()
    for at, part in enumerate(parts):
        lines += lines_of(part, f"{place}, messages[{at}]", known)
    return Transcript(tuple(lines))


def part_of(data: object, place: str) -> tuple[str, dict[str, object]]:
    """The name of a part that is known, and its arguments; raises InputError for any other."""
    match data:
        case {
            "lc": 1,
            "type": "constructor",
            "id": [str(root), *home, str(name)],
            "kwargs": dict(arguments),
        } if root in ROOTS and tuple(home) in HOMES.get(name, ()):
            return name, dict(arguments)
        case {"lc": 1, "type": str(kind), "id": [*names]}:
            came = f"{'.'.join(map(str, names))} ({kind})"
        case _:
            came = f"no part of LangChain's, but {type(data).__name__}"
    raise InputError(
        f"{place}: expected {', '.join(HOMES)} of LangChain's, came {came[:120]}; nothing else is "
        "read, and nothing that a file names is imported"
    )


def done(arguments: Mapping[str, object], place: str) -> None:
    """Refuse arguments that are left and say something."""
    for name, value in arguments.items():
        if value and name not in DECIDES_NOTHING:
            raise InputError(f"{place}: expected no {name}, came {value!r:.80}; leave it out")


def texts(data: object, place: str) -> dict[str, object]:
    """Partial variables: texts by name, and turns for placeholders."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"{place}: expected values by name, came {type(data).__name__}")
    for name, value in data.items():
        if not isinstance(value, str | list):
            raise InputError(f"{place}, {name}: expected a text or turns, came {value!r:.80}")
    return data


def lines_of(data: object, place: str, known: Known) -> Sequence[Line]:
    """The turns that a part stands for."""
    name, arguments = part_of(data, place)
    if name in MESSAGES:
        return [message_in(data, place)]
    if name == "MessagesPlaceholder":
        return placed(arguments, place, known)
    if name not in TURNS:
        raise InputError(f"{place}: expected a turn, came a {name}")
    inner = arguments.pop("prompt", None)
    done(arguments, place)
    return [Line(TURNS[name], template_in(inner, place, known), place)]


def message_in(data: object, place: str) -> Line:
    """A turn that is said as it is."""
    name, arguments = part_of(data, place)
    content = arguments.pop("content", None)
    done(arguments, place)
    if name not in MESSAGES or not isinstance(content, str):
        raise InputError(f"{place}: expected a turn of text, came a {name} of {content!r:.80}")
    return Line(MESSAGES[name], Template.verbatim(content), place)


def placed(arguments: dict[str, object], place: str, known: Known) -> Sequence[Line]:
    """The turns that a placeholder was given."""
    name, optional = str(arguments.pop("variable_name", "")), arguments.pop("optional", False)
    done(arguments, place)
    turns = known.get(name)
    if isinstance(turns, list) and (turns or optional):
        return [message_in(each, f"{place}, {name}[{at}]") for at, each in enumerate(turns)]
    if turns is None and optional:
        return []
    raise InputError(
        f"{place}: expected turns for the placeholder {name!r}, came {turns!r:.40}; give them with "
        f"prompt.partial({name}=[...]), or make it optional, and a conversation stands there"
    )


def template_in(data: object, place: str, known: Known) -> Template:
    """A template, its partial variables filled in; raises InputError with its place."""
    name, arguments = part_of(data, place)
    own = texts(arguments.pop("partial_variables", None), f"{place}, partial_variables")
    text, form = arguments.pop("template", None), arguments.pop("template_format", "f-string")
    done(arguments, place)
    if name != "PromptTemplate" or not isinstance(text, str):
        raise InputError(f"{place}: expected a template of text, came a {name} of {text!r:.80}")
    match form:
        case "f-string":
            pieces = read_f_string(text, place)
        case "mustache":
            pieces = read_mustache(text, place)
        case _:
            raise InputError(
                f"{place}: expected an f-string or mustache template, came {form!r:.40}; jinja2 "
                "templates are programs, and are not taken over"
            )
    values = {name: value for name, value in {**own, **known}.items() if isinstance(value, str)}
    return template_of(filled(pieces, values))


def write_langchain(transcript: Transcript) -> str:
    """The turns as the JSON that ``langchain_core.load`` reads; fields in f-strings.

    Raises:
        InputError: a turn has a block, or braces and a field as HTML.
    """
    data = to_langchain(transcript)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def to_langchain(transcript: Transcript) -> dict[str, object]:
    """The turns as data; ``langchain_core.load.load`` makes a ``ChatPromptTemplate`` of it."""
    parts = [turn(line) for line in transcript.lines]
    names = dict.fromkeys(name for line in transcript.lines for name in line.template.names)
    return part("ChatPromptTemplate", {"input_variables": sorted(names), "messages": parts})


def turn(line: Line) -> dict[str, object]:
    """A turn: one without fields as a message, which no braces can spoil."""
    pieces = pieces_of(line.template)
    if all(isinstance(each, str) for each in pieces):
        name = next(name for name, role in MESSAGES.items() if role == line.role)
        return part(name, {"content": "".join(map(str, pieces))})
    name = next(name for name, role in TURNS.items() if role == line.role)
    return part(name, {"prompt": template(pieces)})


def template(pieces: Pieces) -> dict[str, object]:
    """A template; mustache where a field stands as HTML."""
    slots = [each for each in pieces if isinstance(each, Slot)]
    html = any(each.html for each in slots)
    return part(
        "PromptTemplate",
        {
            "input_variables": sorted({each.name for each in slots}),
            "template": write_mustache(pieces) if html else write_f_string(pieces),
            "template_format": "mustache" if html else "f-string",
        },
    )


def part(name: str, arguments: dict[str, object]) -> dict[str, object]:
    """A part as data."""
    names = [ROOTS[0], *HOMES[name][0], name]
    return {"lc": 1, "type": "constructor", "id": names, "kwargs": arguments}
