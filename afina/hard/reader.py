"""The reader: from a model's text to typed outputs, without a second call.

A model asked for one label writes JSON, bold, a sentence or the label's case otherwise; all of it
is read, and each repair is named. Where two answers stand side by side nothing is guessed: the
answer is missing, with the reason.
"""

from dataclasses import dataclass

from afina.hard.layout import Found, find
from afina.hard.loose_value import UNSURE, Loose, read_loosely
from afina.solver import Value, Values
from afina.task.signature import Field, Signature, Text


@dataclass(frozen=True)
class Reading:
    """Outputs with the repairs it took, or None and the reason why not.

    A reason begins with its kind and a colon, so that kinds can be counted.
    """

    outputs: Values | None
    repairs: tuple[str, ...] = ()
    reason: str = ""


def read_answer(text: str, signature: Signature, inputs: Values | None = None) -> Reading:
    """Read a reply; ``inputs`` are the row's, where an extract must stand.

    >>> signature = Signature.parse("review -> mood: good | bad")
    >>> read_answer("**Mood:** Good!", signature)
    Reading(outputs={'mood': 'good'}, repairs=('field mark', 'punctuation'), reason='')
    >>> read_answer("good or bad", signature).reason
    "two labels: it names 'good' and 'bad'"
    """
    try:
        found = find(text, signature)
        outputs, repairs = dict[str, Value](), list(found.repairs)
        for field in signature.outputs:
            loose = one(field, found, signature, inputs or {})
            outputs[field.name] = loose.value
            repairs += loose.repairs
    except ValueError as error:
        return Reading(None, reason=str(error))
    return Reading(outputs, tuple(dict.fromkeys(repairs)))


def one(field: Field, found: Found, signature: Signature, inputs: Values) -> Loose:
    """One output; raises ValueError where none was found, or two that differ."""
    if field.name not in found.raw:
        if field.type == Text() and field != signature.target:
            return Loose("", ("left out",))
        raise ValueError(f"no field: {field.name!r} does not stand in the reply")
    read, faults = list[Loose](), list[ValueError]()
    for raw in found.raw[field.name]:
        try:
            read.append(read_loosely(field.type, raw, inputs))
        except ValueError as error:
            faults.append(error)
    if not read:
        raise faults[0]
    values = [loose.value for loose in read]
    if any(value != values[0] for value in values):
        other = next(value for value in values if value != values[0])
        raise ValueError(f"two answers: {values[0]!r} and {other!r} for {field.name!r}")
    unsure = field.type == Text() or not UNSURE.isdisjoint(read[0].repairs)
    if found.bare and len(signature.outputs) > 1 and unsure:
        raise ValueError(f"no field: {field.name!r} does not stand in the reply")
    return Loose(values[0], read[0].repairs + (("repeated",) if len(values) > 1 else ()))
