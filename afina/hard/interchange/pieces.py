"""Pieces: a template as texts and fields in turn, which is all that most other formats have."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from afina.errors import InputError
from afina.hard.template import Template, html

TAG = re.compile(r"\{% (.*?) %\}")


class Slot(NamedTuple):
    """A field where its value stands, plain or as HTML."""

    name: str
    html: bool = False


Pieces = tuple[str | Slot, ...]


def pieces_of(template: Template, known: Mapping[str, str] | None = None) -> Pieces:
    """A template's texts and fields; those fields that are known are texts.

    >>> pieces_of(Template("{{ a }}, {{ b }}{% if a %}!{% endif %}"), {"a": "Well"})
    ('Well, ', Slot(name='b', html=False), '!')

    Raises:
        InputError: a block depends on a field that is not known.
    """
    values, parsed = dict(known or {}), template.parsed
    unknown = {written: name for written, name in parsed.fields.items() if name not in values}
    for tag in TAG.findall(parsed.source):
        for word in tag.split():
            if word in unknown:
                raise InputError(
                    f"expected a template of texts and fields, came a block on {unknown[word]!r}; "
                    "choose a form that has blocks, or do without it"
                )
    mark = hashlib.sha256("\0".join([template.text, *values.values()]).encode()).hexdigest()
    names = list(unknown.values())
    values |= {name: f"<{mark}{number}>" for number, name in enumerate(names)}
    found = re.split(rf"(&lt;|<){mark}(\d+)(?:&gt;|>)", template.render(values))
    parts: list[str | Slot] = [found[0]]
    for sign, number, text in zip(found[1::3], found[2::3], found[3::3], strict=True):
        parts += [Slot(names[int(number)], html=sign != "<"), text]
    return joined(parts)


def filled(pieces: Pieces, values: Mapping[str, str]) -> Pieces:
    """Pieces whose fields of these names are texts.

    >>> filled((Slot("a"), Slot("b", html=True), Slot("c")), {"a": "<", "b": "<"})
    ('<&lt;', Slot(name='c', html=False))
    """
    parts: list[str | Slot] = []
    for part in pieces:
        if isinstance(part, Slot) and part.name in values:
            parts.append(html(values[part.name]) if part.html else values[part.name])
        else:
            parts.append(part)
    return joined(parts)


def joined(parts: Sequence[str | Slot]) -> Pieces:
    """Pieces without empty texts, and without two texts side by side."""
    found: list[str | Slot] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part:
            found.append(part)
    return tuple(found)


def template_of(pieces: Sequence[str | Slot]) -> Template:
    """The template of such pieces; whatever a text holds, it stands for itself.

    >>> template_of(["{", Slot("a"), "} {% "]).text
    '{{ "{" }}{{ a }}} {{ "{%" }} '

    Raises:
        InputError: a field's name is none of a template's.
    """
    parts = joined(pieces)
    texts = []
    for part, after in zip_longest(parts, parts[1:]):
        match part:
            case Slot(name, html):
                texts.append(f"{{{{ {name}{' as html' if html else ''} }}}}")
            case str():
                text = Template.verbatim(part).text
                touching = isinstance(after, Slot) and text.endswith("{")
                texts.append(text[:-1] + '{{ "{" }}' if touching else text)
    return Template("".join(texts))
