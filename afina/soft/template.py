"""A template: where trained vectors, inputs, words and the answer stand in a row.

``{p:3} {review} {p:2} It was {mask} .`` holds three trained vectors, the input ``review``, two more
vectors, the words ``It was``, the place of the answer, and a full stop. The grammar is our own and
has nothing else: what stands in braces is ``p:`` and a number, ``mask``, or an input's name; braces
that are meant are doubled. Data never passes through it.
"""

import re
from dataclasses import dataclass

from afina.errors import InputError
from afina.task.signature import Signature, shown


@dataclass(frozen=True)
class Slots:
    """Places of trained vectors, ``{p:3}``."""

    count: int


@dataclass(frozen=True)
class Named:
    """The place of an input's value, ``{review}``."""

    name: str


@dataclass(frozen=True)
class Mask:
    """The place of the answer, ``{mask}``."""


@dataclass(frozen=True)
class Words:
    """Words of the template itself."""

    text: str


Piece = Slots | Named | Mask | Words

TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
COUNT = re.compile(r"p:([1-9][0-9]{0,3})", re.ASCII)
NAME = re.compile(r"[^\W\d_]\w*")
EXPECTED = (
    "expected {p:3} for three vectors (1 to 9999), {mask}, or an input's name in braces, "
    "and {{ or }} for a brace"
)


@dataclass(frozen=True)
class Template:
    """Pieces in their order.

    >>> template = Template.parse("{p:2} {review} It was {mask}.")
    >>> template.length, template.names, template.has_mask
    (2, ('review',), True)
    >>> str(template)
    '{p:2} {review} It was {mask}.'
    """

    pieces: tuple[Piece, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template.

        Raises:
            InputError: what stands in braces is none of the things known, or there are two masks.
        """
        pieces: list[Piece] = []
        words, start = "", 0
        for found in TOKEN.finditer(text):
            words += text[start : found.start()]
            start = found.end()
            if found.group() in ("{{", "}}"):
                words += found.group()[0]
                continue
            pieces += [*([Words(words)] if words else []), _piece(text, found)]
            words = ""
        words += text[start:]
        template = cls((*pieces, *([Words(words)] if words else [])))
        if sum(isinstance(piece, Mask) for piece in template.pieces) > 1:
            raise InputError(
                f"expected one {{mask}} at most in the template {shown(text)}; an answer has one "
                "place"
            )
        return template

    @property
    def length(self) -> int:
        """How many vectors it takes."""
        return sum(piece.count for piece in self.pieces if isinstance(piece, Slots))

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs' names as they stand."""
        return tuple(piece.name for piece in self.pieces if isinstance(piece, Named))

    @property
    def has_mask(self) -> bool:
        return Mask() in self.pieces

    def __str__(self) -> str:
        return "".join(_written(piece) for piece in self.pieces)


def check_signature(template: Template, signature: Signature) -> None:
    """Refuse a template that does not fit a task's inputs.

    Raises:
        InputError: it names an input that is not there, or none, or an input is called ``mask``.
    """
    known = [field.name for field in signature.inputs]
    named = ", ".join(f"{{{name}}}" for name in known)
    if "mask" in known:
        raise InputError("an input is called 'mask', as the answer's place is; give it another")
    for name in template.names:
        if name not in known:
            raise InputError(
                f"expected the task's inputs {named} in the template {shown(str(template))}, "
                f"got {{{name}}}"
            )
    if not template.names:
        raise InputError(
            f"expected an input of the task in the template {shown(str(template))}, got none; "
            f"put {named} into it"
        )


def check_answer_place(template: Template, *, fills_mask: bool, by_words: bool) -> None:
    """Refuse a template whose answer does not stand where the model gives it.

    An encoder fills its mask; the others answer behind the row; a head reads all of it.

    Raises:
        InputError: the mask is missing, superfluous or not the last piece.
    """
    text = shown(str(template))
    if fills_mask and by_words and not template.has_mask:
        raise InputError(f"expected {{mask}} in the template {text}, where the answer stands")
    if not by_words and template.has_mask:
        raise InputError(
            f"expected no {{mask}} in the template {text}: a head answers from the whole row; "
            "leave it out, or answer by words"
        )
    if not fills_mask and template.has_mask:
        written = [each for each in template.pieces if each != Words(" ")]
        if written[-1] != Mask():
            raise InputError(
                f"expected {{mask}} last in the template {text}, since this model answers behind "
                "what it reads; put it there, or leave it out"
            )


def escaped(text: str) -> str:
    """Words as a template has them.

    >>> escaped("a {b}")
    'a {{b}}'
    """
    return text.replace("{", "{{").replace("}", "}}")


def _piece(text: str, found: re.Match[str]) -> Piece:
    inside = found.group(1)
    count = COUNT.fullmatch(inside or "")
    if inside == "mask":
        return Mask()
    if count is not None:
        return Slots(int(count.group(1)))
    if inside is not None and NAME.fullmatch(inside):
        return Named(inside)
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    came = found.group() if inside is not None else text[found.start() :].split("\n")[0]
    raise InputError(f"template, line {line}, column {column}: {EXPECTED}; got {shown(came)}")


def _written(piece: Piece) -> str:
    match piece:
        case Slots(count):
            return f"{{p:{count}}}"
        case Named(name):
            return f"{{{name}}}"
        case Mask():
            return "{mask}"
        case Words(text):
            return escaped(text)
