"""Chat prompts as promptfoo has them: messages in JSON or YAML, their texts nunjucks templates.

https://www.promptfoo.dev/docs/configuration/prompts
"""

import json
from collections.abc import Mapping

import yaml  # type: ignore[import-untyped]  # it has no types of its own

from afina.errors import InputError
from afina.hard.interchange.messages_json import json_of, messages_in
from afina.hard.interchange.nunjucks import read_nunjucks, write_nunjucks
from afina.hard.interchange.pieces import pieces_of, template_of
from afina.hard.interchange.transcript import Line, Transcript
from afina.lm.request import Role


def read_promptfoo(text: str, place: str) -> Transcript:
    """The turns of a chat prompt, or of the only prompt of a configuration.

    Raises:
        InputError: with the place of what is no turn of text, or no plain field.
    """
    data = yaml_of(text, place)
    if isinstance(data, Mapping) and "prompts" in data:
        data, place = only_prompt(data["prompts"], f"{place}, prompts"), f"{place}, prompts[0]"
    if isinstance(data, str):
        return Transcript((line_of("user", data, place),))
    return Transcript(tuple(line_of(*each) for each in messages_in(data, place)))


def line_of(role: Role, text: str, place: str) -> Line:
    """A turn."""
    try:
        return Line(role, template_of(read_nunjucks(text, place)), place)
    except InputError as error:
        told = str(error)
        raise InputError(told if told.startswith(place) else f"{place}: {told}") from error


def yaml_of(text: str, place: str) -> object:
    """What a YAML or JSON text holds; nothing it names is made or called.

    Raises:
        InputError: it is neither.
    """
    if text.lstrip()[:1] in ("[", "{"):
        return json_of(text, place)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise InputError(f"{place}: expected YAML, came an error: {told[:200]}") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{place}: expected YAML of turns, came {type(error).__name__}") from error


def only_prompt(prompts: object, place: str) -> object:
    """The only prompt of a configuration: a text, or messages as JSON."""
    match prompts:
        case [str(text)] | [{"raw": str(text)}]:
            pass
        case [_, _, *_]:
            raise InputError(f"{place}: expected one prompt, came {len(prompts)}; keep one")
        case _:
            raise InputError(f"{place}: expected a list of one text, came {type(prompts).__name__}")
    if text.startswith("file://"):
        raise InputError(f"{place}: expected the prompt itself, came {text[:80]!r}; name that file")
    return json_of(text, place) if text.lstrip().startswith("[") else text


def write_promptfoo(transcript: Transcript) -> str:
    """The turns as JSON, which is YAML too.

    Raises:
        InputError: a turn has a block, or a field that nunjucks reads otherwise.
    """
    messages = [
        {"role": line.role, "content": write_nunjucks(pieces_of(line.template))}
        for line in transcript.lines
    ]
    return json.dumps(messages, indent=2, ensure_ascii=False) + "\n"
