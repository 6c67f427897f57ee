"""Messages in JSON as OpenAI's chat API has them; a field is ``{{ name }}``, as in templates."""

import json

from afina.errors import InputError
from afina.hard.interchange.messages_json import json_of, messages_in
from afina.hard.interchange.pieces import Slot, pieces_of, template_of
from afina.hard.interchange.transcript import Line, Transcript
from afina.hard.template import Template


def read_openai(text: str, place: str) -> Transcript:
    """The turns in a list of messages, or in an object that has nothing but ``messages``.

    Raises:
        InputError: with the place of what is no turn of text.
    """
    lines = []
    for role, content, where in messages_in(json_of(text, place), place):
        try:
            template = template_of(pieces_of(Template(content)))
        except InputError as error:
            raise InputError(f"{where}, {error}") from error
        lines.append(Line(role, template, where))
    return Transcript(tuple(lines))


def write_openai(transcript: Transcript) -> str:
    """The turns as a list of messages.

    Raises:
        InputError: a turn has a block, or a field as HTML.
    """
    messages = []
    for line in transcript.lines:
        pieces = pieces_of(line.template)
        for part in pieces:
            if isinstance(part, Slot) and part.html:
                raise InputError(f"expected plain fields, came {part.name!r} as html")
        messages.append({"role": line.role, "content": template_of(pieces).text})
    return json.dumps(messages, indent=2, ensure_ascii=False) + "\n"
