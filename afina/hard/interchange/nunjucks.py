"""Nunjucks templates as promptfoo has them: ``{{ x }}`` is a field, all else is kept from it."""

import re

from afina.errors import InputError
from afina.hard.interchange.pieces import Pieces, Slot, pieces_of
from afina.hard.template import Template

MARK = re.compile(r"\{[{%#]|#\}")
REFUSED = {"{#": "comments", "#}": "comments", "{%": "blocks"}
LITERALS = ("true", "false", "none", "null")  # names that are values there


def read_nunjucks(text: str, place: str) -> Pieces:
    """The pieces of a template; only fields and texts in quotes are read.

    >>> read_nunjucks('{{ "{{" }} {{ a }}', "here")
    ('{{ ', Slot(name='a', html=False))

    Raises:
        InputError: with the place and line of what is more than a field.
    """
    for sign, what in REFUSED.items():
        if (at := outside_quotes(text).find(sign)) >= 0:
            line = text.count("\n", 0, at) + 1
            raise InputError(f"{place}, line {line}: expected fields alone; {what} are refused")
    if re.search(r"\{\{[^}]*\\", text):
        raise InputError(f"{place}: expected texts in quotes without a backslash")
    try:
        return checked(pieces_of(Template(text)))
    except InputError as error:
        raise InputError(f"{place}, {error}") from error


def outside_quotes(text: str) -> str:
    """A text of the same length with blanks for what tags hold in quotes."""
    return re.sub(r"(\{\{\s*)(\"[^\"]*\"|'[^']*')", lambda m: m[1] + " " * len(m[2]), text)


def write_nunjucks(pieces: Pieces) -> str:
    """The template of pieces.

    Raises:
        InputError: a field is written as HTML, of which nunjucks escapes more characters than
            mustache, or its name is a value there.
    """
    text = ""
    for part in checked(pieces):
        match part:
            case Slot(name):
                text = text[:-1] + '{{ "{" }}' if text.endswith("{") else text
                text += f"{{{{ {name} }}}}"
            case str():
                text += MARK.sub(lambda found: f'{{{{ "{found.group()}" }}}}', part)
    return text


def checked(pieces: Pieces) -> Pieces:
    """The pieces themselves; raises InputError for fields that nunjucks reads otherwise."""
    for part in pieces:
        match part:
            case Slot(name, True):
                raise InputError(f"expected plain fields, came {name!r} as html")
            case Slot(name) if name in LITERALS:
                raise InputError(f"expected no field called {name!r}, a value in nunjucks")
    return pieces
