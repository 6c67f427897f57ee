"""One setting of a method: its value, read as the type of its default or refused."""

import difflib
import math
from typing import Any

from pydantic import TypeAdapter, ValidationError

from afina.errors import InputError

KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
ABOVE_ZERO = {
    "length",
    "hidden",
    "batch",
    "checks",
    "save_every",
    "new_tokens",
    "probe",
    "temperature",
    "k",
    "room",
    "hops",
}


def unknown_setting(method: str, name: str, known: list[str]) -> str:
    """What to say of a setting that a method does not have."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return f"expected a setting of {method}, got {name!r}; {hint}"


def read_setting(name: str, value: object, default: Any) -> object:
    """A value as its default's type; a text such as "20", as a command line gives it, is read.

    A default of None stands for a whole number that the task decides.

    Raises:
        InputError: it is of another type, out of range, or no finite number.
    """
    kind = int if default is None else type(default)
    left_out = "the task decides it" if default is None else f"it is {default!r}"
    hint = f"got {value!r}; left out, {left_out}"
    try:
        found = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise InputError(f"expected {KINDS[kind]} as the setting {name}, {hint}") from error
    if (isinstance(value, bool) and kind is not bool) or (
        kind is float and not math.isfinite(found)
    ):
        raise InputError(f"expected {KINDS[kind]} as the setting {name}, {hint}")
    if kind in (int, float) and (found <= 0 if name in ABOVE_ZERO else found < 0):
        least = "above 0" if name in ABOVE_ZERO else "of 0 or more"
        raise InputError(f"expected a setting {name} {least}, {hint}")
    return found
