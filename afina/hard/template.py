"""A template: text with fields, rendered by minijinja within limits; data is only ever a value.

``{{ name }}`` is a field, ``{{ name as html }}`` one with ``& < > "`` as HTML writes them,
``{% if name %}`` and ``{% for item in name %}`` are blocks, and all else is text: braces of JSON,
``{0}``, ``${}`` and ``{#`` stand as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from minijinja import Environment, TemplateError, pass_state

from afina.errors import InputError
from afina.hard.template_reading import Parsed, parse
from afina.solver import Value, Values

FUEL = 100_000  # instructions of one rendering
LONGEST = 10_000_000  # characters of what is rendered


@dataclass(frozen=True)
class Template:
    """Text with fields; what it names can be told without rendering it.

    >>> template = Template('Answer as {"mood": "good"}.{% if hint %} Hint: {{ hint }}{% endif %}')
    >>> template.names
    ('hint',)
    >>> template.render({"hint": "{{ 7*7 }}"})
    'Answer as {"mood": "good"}. Hint: {{ 7*7 }}'
    >>> Template("{{ review.__class__ }}")
    Traceback (most recent call last):
    afina.errors.InputError: line 1: expected names, texts in quotes, == or !=, came '.'; \
templates have no attributes

    Raises: InputError with the line where it holds more than fields and blocks.
    """

    text: str
    parsed: Parsed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", parse(self.text))

    @classmethod
    def verbatim(cls, text: str) -> "Template":
        """A template that renders to a text, whatever the text holds."""
        return cls(text.replace("{{", '{{ "{{" }}').replace("{%", '{{ "{%" }}'))

    @property
    def names(self) -> tuple[str, ...]:
        """The fields it names, in the order of their first use."""
        return tuple(self.parsed.fields.values())

    def check(self, names: Iterable[str], lists: Iterable[str] | None = None) -> None:
        """Refuse fields that are not among the names, and loops over what is no list.

        Raises:
            InputError: with the line of the first one.
        """
        known, loopable = list(names), None if lists is None else list(lists)
        for use in self.parsed.uses:
            if use.name not in known:
                raise InputError(
                    f"line {use.line}: the field {use.name!r} is unknown; "
                    f"known are {', '.join(known) or 'none'}"
                )
            if use.looped and loopable is not None and use.name not in loopable:
                raise InputError(
                    f"line {use.line}: expected a list to loop over, came the field {use.name!r}; "
                    f"lists are {', '.join(loopable) or 'none'}"
                )

    def render(self, values: Values) -> str:
        """The text with each field's value in its place.

        Raises:
            InputError: a value is missing, or the text grows past its limits.
        """
        context: dict[str, Value] = dict(self.parsed.texts)
        for written, name in self.parsed.fields.items():
            if name not in values:
                raise InputError(f"expected the input {name!r}, came {', '.join(values) or 'none'}")
            context[written] = values[name]
            text = whole(plain(values[name]))
            context |= {f"{written}_text": text, f"{written}_html": html(text)}
        try:
            return ENVIRONMENT.render_str(self.parsed.source, None, **context)
        except TemplateError as error:
            if error.kind != "OutOfFuel":
                raise
            raise InputError(
                f"the template takes more than {FUEL} steps; loop over shorter lists"
            ) from error


def plain(value: Value) -> str:
    """A value as it stands in a prompt; the parts of a list with a space between them."""
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def html(text: str) -> str:
    """A text as mustache writes it: four characters as HTML's entities."""
    text = text.replace("&", "&amp;").replace('"', "&quot;")
    return text.replace("<", "&lt;").replace(">", "&gt;")


def whole(text: str) -> str:
    """The text itself; raises InputError where it holds half a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"expected a text of whole characters, came {text[:80]!r}") from error
    return text


@pass_state
def counted(state: Any, value: Value) -> str:  # Any: minijinja gives its state no type at run time
    """What minijinja writes for a value; raises InputError once a rendering is too long."""
    text = plain(value)
    written = state.get_temp("written", 0) + len(text)
    if written > LONGEST:
        raise InputError(f"the text grows past {LONGEST} characters; give it less")
    state.set_temp("written", written)
    return text


ENVIRONMENT = Environment(
    fuel=FUEL,
    finalizer=counted,
    undefined_behavior="strict",
    auto_escape_callback=lambda name: None,
    keep_trailing_newline=True,
    pycompat=False,
    debug=False,
)
