"""Signatures as DSPy writes them: ``question, n: int -> mood: Literal['good', 'bad']``.

The string is read as Python's syntax and never run: a name that is no type of ours is refused, not
imported.
"""

import ast
import re

from afina.errors import SignatureError
from afina.hard.marked import kind
from afina.task.signature import (
    Boolean,
    Choice,
    Field,
    FieldType,
    Integer,
    Number,
    Signature,
    Text,
    TextList,
)

PLAIN: dict[str, FieldType] = {
    "str": Text(),
    "int": Integer(),
    "float": Number(),
    "bool": Boolean(),
    "list[str]": TextList(),
}
LONGEST = 10_000  # characters


def read_signature(text: str, instruction: str | None = None) -> Signature:
    """The signature of a string of DSPy's; without an instruction it has the one DSPy gives it.

    >>> signature = read_signature("review -> mood: Literal['good', 'bad']")
    >>> str(signature)
    'review -> mood: good | bad'
    >>> signature.instruction
    'Given the fields `review`, produce the fields `mood`.'

    Raises:
        SignatureError: it has no arrow or several, a name stands twice, or a type is not ours.
    """
    sides = text.split("->")
    if len(sides) != 2 or len(text) > LONGEST:
        raise SignatureError(
            f"expected a signature such as 'question -> answer' of at most {LONGEST} characters, "
            f"came {text[:120]!r}"
        )
    inputs, outputs = (fields_in(side, text) for side in sides)
    found = Signature(inputs, outputs)
    return Signature(inputs, outputs, usual(found) if instruction is None else instruction)


def usual(signature: Signature) -> str:
    """What DSPy says of a signature whose author says nothing."""
    read, made = (
        ", ".join(f"`{field.name}`" for field in side)
        for side in (signature.inputs, signature.outputs)
    )
    return f"Given the fields {read}, produce the fields {made}."


def fields_in(side: str, text: str) -> tuple[Field, ...]:
    """The fields of one side; raises SignatureError."""
    try:
        body = ast.parse(f"def f({side.strip()}\n): pass").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SignatureError(f"{text[:120]!r} cannot be read as names with types") from error
    parsed = body[0]
    assert isinstance(parsed, ast.FunctionDef)
    given = parsed.args
    if (
        len(body) > 1
        or given.vararg
        or given.kwarg
        or given.kwonlyargs
        or given.posonlyargs
        or given.defaults
    ):
        raise SignatureError(f"expected names with types in {text[:120]!r}, came another sign")
    return tuple(Field(each.arg, type_of(each, text)) for each in given.args)


def type_of(argument: ast.arg, text: str) -> FieldType:
    """A field's type; raises SignatureError."""
    match argument.annotation:
        case None:
            return Text()
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            labels = [part.value for part in parts if isinstance(part, ast.Constant)]
            texts = tuple(label for label in labels if isinstance(label, str))
            if len(texts) == len(parts):
                return Choice(texts)
        case known if (name := re.sub(r"\bList\b", "list", ast.unparse(known))) in PLAIN:
            return PLAIN[name]
    raise SignatureError(
        f"expected {', '.join(PLAIN)} or Literal of texts as the type of {argument.arg!r} in "
        f"{text[:120]!r}; no other is looked up or imported"
    )


def write_signature(signature: Signature) -> str:
    """A signature as DSPy's string.

    >>> write_signature(Signature.parse("review, stars: int -> mood: good | bad"))
    "review, stars: int -> mood: Literal['good', 'bad']"

    Raises:
        InputError: a field is of a type that DSPy does not have.
    """

    def written(field: Field) -> str:
        return field.name if field.type == Text() else f"{field.name}: {kind(field)}"

    inputs, outputs = (
        ", ".join(map(written, side)) for side in (signature.inputs, signature.outputs)
    )
    return f"{inputs} -> {outputs}"
