"""A signature: the names and types of a task's inputs and outputs, written as one line of text."""

import inspect
import re
import typing
from dataclasses import dataclass

from afina.errors import SignatureError


@dataclass(frozen=True)
class Text:
    """Any text: ``str``, the type of a name without one."""


@dataclass(frozen=True)
class Integer:
    """A whole number: ``int``."""


@dataclass(frozen=True)
class Number:
    """A finite number: ``float``."""


@dataclass(frozen=True)
class Boolean:
    """True or false: ``bool``."""


@dataclass(frozen=True)
class TextList:
    """A list of texts, such as tokens: ``list[str]``."""


@dataclass(frozen=True)
class Choice:
    """One of the labels: ``a | b``; written ``choice``, its labels come from the task's data."""

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        check_labels(self.labels)
        if len(self.labels) == 1:
            raise SignatureError(
                f"expected at least two labels, came only {self.labels[0]!r}: name another"
            )


@dataclass(frozen=True)
class Spans:
    """Labelled stretches of tokens: ``spans[PER | LOC]``; bare ``spans`` extracts from a text."""

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        check_labels(self.labels)


FieldType = Text | Integer | Number | Boolean | TextList | Choice | Spans


@dataclass(frozen=True)
class Field:
    """A named and typed input or output."""

    name: str
    type: FieldType
    description: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name.startswith("_") or len(self.name) > 100:
            raise SignatureError(
                f"expected a name of letters, digits and _ that starts with a letter,"
                f" came {self.name[:120]!r}"
            )

    def __str__(self) -> str:
        match self.type:
            case Text():
                return self.name
            case Choice(labels) if labels:
                return f"{self.name}: {written(labels)}"
            case Spans(labels) if labels:
                return f"{self.name}: spans[{written(labels)}]"
        return f"{self.name}: {next(word for word, t in WORDS.items() if t == self.type)}"


@dataclass(frozen=True)
class Input:
    """Marks an input in a class that is read as a signature."""

    description: str = ""


@dataclass(frozen=True)
class Output:
    """Marks an output in a class that is read as a signature."""

    description: str = ""


@dataclass(frozen=True)
class Signature:
    """Inputs, outputs and an instruction.

    >>> signature = Signature.parse("review -> sentiment: positive | negative")
    >>> signature.target.type
    Choice(labels=('positive', 'negative'))
    >>> str(signature)
    'review -> sentiment: positive | negative'
    """

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    instruction: str = ""

    def __post_init__(self) -> None:
        for side, fields in (("input", self.inputs), ("output", self.outputs)):
            if not fields:
                raise SignatureError(f"expected at least one {side}, came none")
        seen: set[str] = set()
        for field in self.inputs + self.outputs:
            if field.name in seen:
                raise SignatureError(f"the name {field.name!r} stands twice: give each its own")
            seen.add(field.name)

    @classmethod
    def parse(cls, text: str, instruction: str = "") -> "Signature":
        """Read ``inputs -> outputs``; raises SignatureError with one clear reason."""
        sides = cut(text, "->")
        if not text.strip():
            raise SignatureError("expected a signature such as 'question -> answer', came nothing")
        if len(sides) != 2:
            count = "no arrow" if len(sides) == 1 else f"{len(sides) - 1} arrows"
            raise SignatureError(f"expected one arrow '->' in {shown(text)}, came {count}")
        return cls(parse_fields(sides[0], "input"), parse_fields(sides[1], "output"), instruction)

    @classmethod
    def of(cls, source: type) -> "Signature":
        """Read a class: annotations are types, ``Input`` or ``Output`` tell the side.

        The docstring is the instruction.
        """
        sides: dict[type, list[Field]] = {Input: [], Output: []}
        for name, annotation in inspect.get_annotations(source).items():
            mark = source.__dict__.get(name)
            if not isinstance(mark, Input | Output):
                raise SignatureError(
                    f"expected {name} = Input() or {name} = Output() in class"
                    f" {source.__name__}, came {mark!r}"
                )
            sides[type(mark)].append(Field(name, annotated(name, annotation), mark.description))
        return cls(
            tuple(sides[Input]), tuple(sides[Output]), inspect.cleandoc(source.__doc__ or "")
        )

    @property
    def target(self) -> Field:
        """The output that is scored: the last one."""
        return self.outputs[-1]

    def __str__(self) -> str:
        inputs, outputs = (", ".join(map(str, side)) for side in (self.inputs, self.outputs))
        return f"{inputs} -> {outputs}"


QUOTED = r'"(?:[^"\\]|\\["\\])*"'
PLAIN_LABEL = re.compile(r'[^\s"\\|,:\[\]]+(?: [^\s"\\|,:\[\]]+)*')


def written(labels: tuple[str, ...]) -> str:
    """Labels as the grammar has them, quoted where they hold odd characters."""
    return " | ".join(label if is_plain(label) else quoted(label) for label in labels)


def is_plain(label: str) -> bool:
    """Whether a label needs no quotes."""
    return "->" not in label and PLAIN_LABEL.fullmatch(label) is not None


def quoted(label: str) -> str:
    r"""A label in quotes, with ``\"`` and ``\\`` escaped."""
    return '"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shown(text: str) -> str:
    """A text for a message, cut at 120 characters."""
    return repr(text if len(text) <= 120 else text[:117] + "...")


def check_labels(labels: tuple[str, ...]) -> None:
    """Refuse labels that are empty, doubled or not printable."""
    seen: set[str] = set()
    for label in labels:
        if not label:
            raise SignatureError("expected a label, came an empty one: name it or leave it out")
        if not label.isprintable() or label != label.strip():
            raise SignatureError(
                f"expected a printable label without spaces around it, came {shown(label)}"
            )
        if label in seen:
            raise SignatureError(f"the label {shown(label)} stands twice: leave one out")
        seen.add(label)


def cut(text: str, mark: str) -> list[str]:
    """Cut at each mark that stands outside quotes and brackets."""
    parts, start, depth = [], 0, 0
    for found in re.finditer(rf"{QUOTED}|->|[\"\[\]|,:]", text):
        token = found.group()
        if token == '"':
            raise SignatureError(
                f"the quote at position {found.start() + 1} of {shown(text)} is never closed,"
                r" or holds a backslash that is not \" or \\"
            )
        depth += {"[": 1, "]": -1}.get(token, 0)
        if depth < 0:
            break
        if token == mark and depth == 0:
            parts.append(text[start : found.start()])
            start = found.end()
    if depth:
        raise SignatureError(f"the brackets of {shown(text)} do not match")
    return [*parts, text[start:]]


def parse_fields(text: str, side: str) -> tuple[Field, ...]:
    """Read ``name, name: type, ...``."""
    if not text.strip():
        raise SignatureError(f"expected at least one {side}, came none")
    return tuple(parse_field(part, side) for part in cut(text, ","))


def parse_field(text: str, side: str) -> Field:
    """Read ``name`` or ``name: type``."""
    parts = cut(text, ":")
    if not text.strip():
        raise SignatureError(f"expected an {side} between the commas, came nothing")
    if len(parts) > 2:
        raise SignatureError(
            f"expected 'name: type', came {shown(text.strip())}: quote labels that hold ':'"
        )
    name = parts[0].strip()
    return Field(name, parse_type(name, parts[1].strip()) if len(parts) == 2 else Text())


def parse_type(name: str, text: str) -> FieldType:
    """Read a type: a word, ``spans[...]`` or labels."""
    if text in WORDS:
        return WORDS[text]
    if text.startswith("spans[") and text.endswith("]"):
        return Spans(parse_labels(text.removeprefix("spans[").removesuffix("]")))
    labels = cut(text, "|")
    if len(labels) == 1 and not text.startswith('"'):
        raise SignatureError(f"expected a type for {name!r}: {TYPES}; came {shown(text)}")
    return Choice(parse_labels(text))


def parse_labels(text: str) -> tuple[str, ...]:
    """Read labels with ``|`` between them."""
    return tuple(parse_label(part.strip()) for part in cut(text, "|"))


def parse_label(text: str) -> str:
    """Read a plain or a quoted label."""
    if re.fullmatch(QUOTED, text):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text and not is_plain(text):
        raise SignatureError(
            f"expected a label in quotes where it holds odd characters, came {shown(text)}"
        )
    return text


def annotated(name: str, annotation: object) -> FieldType:
    """The type an annotation stands for."""
    plain: dict[object, FieldType] = {
        str: Text(),
        int: Integer(),
        float: Number(),
        bool: Boolean(),
        list[str]: TextList(),
    }
    if isinstance(annotation, str):
        raise SignatureError(
            f"expected a type for {name!r}, came the text {annotation!r}: write the type itself,"
            " without quotes and without 'from __future__ import annotations'"
        )
    labels = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal and all(isinstance(x, str) for x in labels):
        return Choice(labels)
    for known, field_type in plain.items():
        if annotation == known:
            return field_type
    raise SignatureError(
        f"expected str, int, float, bool, list[str] or Literal of texts for {name!r},"
        f" came {annotation!r}"
    )


WORDS: dict[str, FieldType] = {
    "str": Text(),
    "int": Integer(),
    "float": Number(),
    "bool": Boolean(),
    "list[str]": TextList(),
    "choice": Choice(()),
    "spans": Spans(()),
}
TYPES = "str, int, float, bool, list[str], choice, spans, spans[A | B] or labels such as a | b"
