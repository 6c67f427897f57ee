"""Mustache templates as LangChain has them: ``{{x}}`` is a field as HTML, ``{{{x}}}`` a plain one.

Mustache (https://mustache.github.io/mustache.5.html) writes ``& < > "`` of ``{{x}}`` as HTML's
entities, and LangChain does so in prompts too. Sections, comments and partials are refused.
"""

from afina.errors import InputError
from afina.hard.interchange.f_string import plain_name
from afina.hard.interchange.pieces import Pieces, Slot, joined

OTHERS = {
    "#": "sections",
    "^": "sections",
    "/": "sections",
    "!": "comments",
    ">": "partials",
    "=": "other delimiters",
}


def read_mustache(text: str, place: str) -> Pieces:
    """The pieces of a template.

    >>> read_mustache("{{ a }} {{{b}}} {&c}", "here")
    (Slot(name='a', html=True), ' ', Slot(name='b', html=False), ' {&c}')

    Raises:
        InputError: with the place and line of what is no field.
    """
    literal, opened, rest = text.partition("{{")
    parts: list[str | Slot] = [literal]
    while opened:
        where = f"{place}, line {text.count(chr(10), 0, len(text) - len(rest)) + 1}"
        tag, closed, rest = rest.partition("}}")
        if not closed:
            raise InputError(f"{where}: {{{{ is never closed")
        sign = tag[:1]
        if sign in OTHERS:
            raise InputError(f"{where}: expected a field, came {tag[:80]!r}; no {OTHERS[sign]}")
        if sign == "{":
            if not rest.startswith("}"):
                raise InputError(f"{where}: {{{{{{ is never closed by }}}}}}")
            rest = rest[1:]
        name = (tag[1:] if sign in ("{", "&") else tag).strip()
        parts.append(Slot(plain_name(name, where), html=sign not in ("{", "&")))
        literal, opened, rest = rest.partition("{{")
        parts.append(literal)
    return joined(parts)


def write_mustache(pieces: Pieces) -> str:
    """The template of pieces; raises InputError for braces that mustache would take for its own."""
    text = ""
    for part in pieces:
        match part:
            case str() if "{{" in part:
                raise InputError("expected a text without '{{', which mustache cannot write")
            case str():
                text += part
            case Slot(name, html):
                if text.endswith("{"):
                    raise InputError(f"expected no '{{' in front of {name!r}, as mustache reads it")
                text += f"{{{{{name}}}}}" if html else f"{{{{{{{name}}}}}}}"
    return text
