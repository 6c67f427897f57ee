"""F-string templates as LangChain has them: ``{x}`` is a field, ``{{`` a brace.

Formats, conversions, attributes and indices are refused: a width such as ``{x:>100000000}`` writes
100 MB, and an attribute reaches into what the caller holds (CVE-2025-65106).
"""

from string import Formatter

from afina.errors import InputError
from afina.hard.interchange.pieces import Pieces, Slot, joined
from afina.hard.template_reading import WORDS


def read_f_string(text: str, place: str) -> Pieces:
    """The pieces of a template.

    >>> read_f_string('{{"mood": {mood}}}', "here")
    ('{"mood": ', Slot(name='mood', html=False), '}')

    Raises:
        InputError: with the place and line of what is more than a field's name.
    """
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise InputError(f"{place}: expected an f-string template, but {error}") from error
    parts: list[str | Slot] = []
    line = 1
    for literal, name, form, conversion in parsed:
        parts.append(literal)
        line += literal.count("\n")
        if name is not None:
            if form or conversion:
                raise InputError(
                    f"{place}, line {line}: expected a field's name alone, came {name[:80]!r} with "
                    f"the format {(form or conversion or '')[:80]!r}; formats are not taken over"
                )
            parts.append(Slot(plain_name(name, f"{place}, line {line}")))
    return joined(parts)


def plain_name(name: str, place: str) -> str:
    """A field's name; raises InputError where it is more than that."""
    if not name.isidentifier() or name.startswith("_") or name in WORDS:
        what = "attributes and indices are" if {".", "["} & set(name) else "any other is"
        raise InputError(
            f"{place}: expected a field's name such as question, came {name[:80]!r}; {what} refused"
        )
    return name


def write_f_string(pieces: Pieces) -> str:
    """The template of pieces; raises InputError for a field as HTML, which f-strings have not."""
    parts = []
    for part in pieces:
        match part:
            case Slot(name, True):
                raise InputError(f"expected plain fields, came {name!r} as html")
            case Slot(name):
                parts.append(f"{{{name}}}")
            case str():
                parts.append(part.replace("{", "{{").replace("}", "}}"))
    return "".join(parts)
