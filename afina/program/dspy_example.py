"""DSPy's examples and metrics as ours: ``Example(...).with_inputs`` and ``(example, prediction)``.

They are known by what they can do, so that Afina needs no DSPy.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from afina.errors import DataError, InputError
from afina.program.feedback import Feedback, feedback_of
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import Field, Signature
from afina.task.value import read_value


class DspyExample(Protocol):
    """What DSPy calls an example, whose inputs are told."""

    def toDict(self) -> Mapping[str, object]: ...  # noqa: N802  its name

    def inputs(self) -> "DspyExample": ...


DspyMetric = Callable[..., object]  # (example, prediction, trace=None)


def examples_of(given: Sequence[DspyExample], signature: Signature) -> list[Example]:
    """Examples of DSPy's, each value as its field's type.

    Raises:
        DataError: one has not the signature's inputs and target; it is told by its number.
    """
    return [example_of(each, signature, number) for number, each in enumerate(given, start=1)]


def example_of(given: DspyExample, signature: Signature, number: int) -> Example:
    """One example; raises DataError."""
    try:
        whole, told = given.toDict(), set(given.inputs().toDict())
        if told != {field.name for field in signature.inputs}:
            raise ValueError(f"its inputs are {', '.join(sorted(told)) or 'none'}")
        inputs = {field.name: value_of(field, whole) for field in signature.inputs}
        outputs = {
            field.name: value_of(field, whole)
            for field in signature.outputs
            if field.name in whole or field == signature.target
        }
    except ValueError as error:
        raise DataError(f"example {number}: expected one for {signature}: {error}") from error
    return Example.of(inputs, outputs)


def value_of(field: Field, values: Mapping[str, object]) -> Value:
    """A field's value; raises ValueError."""
    if field.name not in values:
        raise ValueError(f"it lacks {field.name!r}")
    return read_value(field.type, values[field.name])


@dataclass(frozen=True)
class Record:
    """Values as a metric of DSPy's reads them: by attribute, by key, or with ``get``."""

    values: Values

    def __getattr__(self, name: str) -> Value:
        if name.startswith("__") or name not in self.values:
            raise AttributeError(f"there is no {name!r}, but {', '.join(self.values)}")
        return self.values[name]

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def get(self, name: str, default: Value | None = None) -> Value | None:
        """A value, or else the default."""
        return self.values.get(name, default)

    def toDict(self) -> dict[str, Value]:  # noqa: N802  DSPy's name
        """All values."""
        return dict(self.values)


def judged_by(metric: DspyMetric, example: Example, outputs: Values) -> Feedback:
    """What a metric of DSPy's says of an answer: a number, true or false, or score and feedback.

    Raises:
        InputError: it says something else; the example is named.
    """
    row = Record({**example.inputs, **example.outputs})
    given = metric(row, Record(outputs), None)
    score, text = getattr(given, "score", given), getattr(given, "feedback", "")
    name = f"{getattr(metric, '__name__', 'the metric')} on the example {example.id!r}"
    if isinstance(text, str) and isinstance(score, int | float):
        return feedback_of(Feedback(score, text), name)
    raise InputError(f"expected a score of {name}, got {given!r}")
