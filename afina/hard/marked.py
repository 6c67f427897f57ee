"""Marked fields: each field behind a line ``[[ ## name ## ]]``, as DSPy lays out a chat.

What stands here is the layout of the ChatAdapter of DSPy 3.4.1 (Khattab et al. 2023,
https://arxiv.org/abs/2310.03714), so that a prompt taken over from there says the same, byte for
byte: which fields there are, how a turn is built, what the task is. An example that lacks an
output stands in front of those that lack none, and says so.
"""

import json
from collections.abc import Mapping, Sequence
from textwrap import dedent

from afina.errors import InputError
from afina.lm.request import Message
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import (
    Boolean,
    Choice,
    Field,
    FieldType,
    Integer,
    Number,
    Signature,
    Spans,
    Text,
    TextList,
)

END = "[[ ## completed ## ]]"
STRUCTURE = (
    "All interactions will be structured in the following way, with the appropriate values filled "
    "in."
)
PART = "This is an example of the task, though some input or output fields are not supplied."
ABSENT = "Not supplied for this particular example. "
LIST_SCHEMA = '{"type": "array", "items": {"type": "string"}}'


def system(signature: Signature) -> str:
    """The system part: the fields, the structure, the instruction.

    Raises:
        InputError: a field is of a type that this layout does not have.
    """
    inputs, outputs = signature.inputs, signature.outputs
    asked = {field.name: f"{{{field.name}}}" for field in inputs}
    wanted = {field.name: f"{{{field.name}}}{note(field)}" for field in outputs}
    structure = [STRUCTURE, marks(asked), marks(wanted), END]
    indent = "\n" + " " * 8
    goal = "".join(indent + line for line in dedent(signature.instruction).splitlines())
    return (
        f"Your input fields are:\n{listed(inputs)}\nYour output fields are:\n{listed(outputs)}\n"
        + "\n\n".join(structure)
        + f"\nIn adhering to this structure, your objective is: {goal}"
    )


def row(signature: Signature, inputs: Values) -> str:
    """A row as the user's turn, with what is wanted behind it.

    Raises:
        InputError: an input is missing.
    """
    for field in signature.inputs:
        if field.name not in inputs:
            raise InputError(
                f"expected the input {field.name!r}, came {', '.join(inputs) or 'none'}"
            )
    starts = ", then ".join(
        f"`[[ ## {each.name} ## ]]`{formed(each)}" for each in signature.outputs
    )
    ending = (
        f"Respond with the corresponding output fields, starting with the field {starts}, and then "
        f"ending with the marker for `{END}`."
    )
    return "\n\n".join([*marked(signature.inputs, inputs), ending]).strip()


def turns(signature: Signature, examples: Sequence[Example]) -> tuple[Message, ...]:
    """Examples as turns of both sides, those that lack an output first."""
    names = [field.name for field in signature.outputs]
    whole = [all(name in each.outputs for name in names) for each in examples]
    ordered = sorted(range(len(examples)), key=lambda place: whole[place])
    found: list[Message] = []
    for place in ordered:
        example = examples[place]
        head = [] if whole[place] else [PART]
        said = "\n\n".join([*head, *marked(signature.inputs, example.inputs)]).strip()
        found += [Message("user", said), Message("assistant", reply(signature, example.outputs))]
    return tuple(found)


def reply(signature: Signature, outputs: Values) -> str:
    """Outputs as a model should write them."""
    said = {
        field.name: text(outputs[field.name]) if field.name in outputs else ABSENT
        for field in signature.outputs
    }
    return f"{marks(said)}\n\n{END}\n"


def marked(fields: Sequence[Field], values: Values) -> list[str]:
    """Fields with their values, each behind its mark."""
    return [f"[[ ## {each.name} ## ]]\n{text(values[each.name])}" for each in fields]


def marks(values: Mapping[str, str]) -> str:
    """Texts behind marks, one below the other."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in values.items()).strip()


def text(value: Value) -> str:
    """A value: a list as JSON, all else as Python writes it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def listed(fields: Sequence[Field]) -> str:
    """Fields with their types and descriptions, numbered."""
    lines = [
        f"{number}. `{field.name}` ({kind(field)}): {field.description}"
        for number, field in enumerate(fields, start=1)
    ]
    return "\n".join(lines).strip()


def kind(field: Field) -> str:
    """A field's type as Python writes it.

    >>> kind(Field("mood", Choice(("good", "it's bad"))))
    'Literal[\\'good\\', "it\\'s bad"]'

    Raises:
        InputError: this layout does not have it.
    """
    match field.type:
        case Choice(labels) if labels:
            return f"Literal[{', '.join(map(quoted, labels))}]"
        case Choice() | Spans():
            raise InputError(
                f"expected a field of type str, int, float, bool, list[str] or of labels, came "
                f"'{field}', which DSPy's layout does not have; leave the layout as it is"
            )
    return NAMES[type(field.type)]


def quoted(label: str) -> str:
    """A label in single quotes, or in double ones where it holds single ones alone."""
    if "'" in label and '"' not in label:
        return f'"{label}"'
    return "'" + label.replace("'", "\\'") + "'" if "'" in label else f"'{label}'"


def note(field: Field) -> str:
    """What the structure says of an output's type."""
    match field.type:
        case Text():
            return ""
        case Boolean():
            must = "must be True or False"
        case Integer() | Number():
            must = f"must be a single {kind(field)} value"
        case Choice(labels):
            must = f"must exactly match (no extra characters) one of: {'; '.join(labels)}"
        case _:
            must = f"must adhere to the JSON schema: {LIST_SCHEMA}"
    return f"{' ' * 8}# note: the value you produce {must}"


def formed(field: Field) -> str:
    """What the row says of an output's type."""
    if field.type == Text():
        return ""
    return f" (must be formatted as a valid Python {kind(field)})"


NAMES: dict[type[FieldType], str] = {
    Text: "str",
    Integer: "int",
    Number: "float",
    Boolean: "bool",
    TextList: "list[str]",
}
