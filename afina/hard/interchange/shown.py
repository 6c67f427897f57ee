"""Examples read back out of the turns that show them."""

from afina.errors import InputError
from afina.hard.form import answer
from afina.hard.interchange.pieces import Pieces, Slot, pieces_of
from afina.hard.reader import read_answer
from afina.hard.template import Template
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import Signature, Text, TextList
from afina.task.value import read_value

ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&"))


def example_of(
    said: tuple[str, str], places: tuple[str, str], user: Template, signature: Signature
) -> Example:
    """The example that a turn of each side shows; written again, it gives the same two texts.

    Raises:
        InputError: they show none, or the first can be read in two ways.
    """
    inputs, wanted = inputs_of(said[0], user, signature, places[0]), said[1]
    if len(signature.outputs) == 1 and signature.target.type == Text():
        return Example.of(inputs, {signature.target.name: wanted})
    reading = read_answer(wanted, signature, inputs)
    if reading.outputs is None:
        raise InputError(f"{places[1]}: expected an answer, came {wanted[:80]!r}: {reading.reason}")
    target = signature.target.name
    told = {name: value for name, value in reading.outputs.items() if value != "" or name == target}
    for outputs in (reading.outputs, told):
        if answer(signature, outputs) == wanted:
            return Example.of(inputs, outputs)
    raise InputError(
        f"{places[1]}: expected {answer(signature, told)[:80]!r}, as examples are written here, "
        f"came {wanted[:80]!r}"
    )


def inputs_of(said: str, user: Template, signature: Signature, place: str) -> Values:
    """The inputs for which a user template says a text; raises InputError for none or several."""
    try:
        pieces = pieces_of(user)
    except InputError as error:
        raise InputError(f"{place}: an example cannot be told from a block: {error}") from error
    first = fill(said, pieces)
    backwards = tuple(part[::-1] if isinstance(part, str) else part for part in pieces[::-1])
    last = fill(said[::-1], backwards)
    if first is None or last is None:
        raise InputError(f"{place}: expected a text as the last turn has it, came {said[:80]!r}")
    if first != [(slot, text[::-1]) for slot, text in last[::-1]]:
        raise InputError(f"{place}: the fields of {said[:80]!r} can be told apart in several ways")
    inputs = read_inputs(first, signature, place)
    if user.render(inputs) != said:
        raise InputError(
            f"{place}: expected {user.render(inputs)[:80]!r}, as this row is written here, "
            f"came {said[:80]!r}"
        )
    return inputs


def read_inputs(filled: list[tuple[Slot, str]], signature: Signature, place: str) -> Values:
    """Texts as their fields' types; raises InputError where one is none, or an input lacks."""
    inputs: dict[str, Value] = {}
    types = {each.name: each.type for each in signature.inputs}
    try:
        for slot, text in filled:
            whole = unescaped(text) if slot.html else text
            kind = types[slot.name]
            inputs[slot.name] = whole.split(" ") if kind == TextList() else read_value(kind, whole)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error
    if lacking := [name for name in types if name not in inputs]:
        raise InputError(
            f"{place}: expected an example with {lacking[0]!r}, which the last turn does not name; "
            "leave the examples out, or name it there"
        )
    return inputs


def fill(said: str, pieces: Pieces) -> list[tuple[Slot, str]] | None:
    """The shortest text for each field from the left on, or None where the texts do not fit."""
    at, found, slot = 0, list[tuple[Slot, str]](), None
    for number, part in enumerate(pieces):
        if isinstance(part, Slot):
            if slot is not None:
                found.append((slot, ""))
            slot = part
            continue
        place = len(said) - len(part) if number == len(pieces) - 1 else said.find(part, at)
        if place < at or (slot is None and place > at) or not said.startswith(part, place):
            return None
        if slot is not None:
            found.append((slot, said[at:place]))
        at, slot = place + len(part), None
    if slot is not None:
        return [*found, (slot, said[at:])]
    return found if at == len(said) else None


def unescaped(text: str) -> str:
    """A text of which four characters were written as HTML's entities."""
    for entity, sign in ENTITIES:
        text = text.replace(entity, sign)
    return text
