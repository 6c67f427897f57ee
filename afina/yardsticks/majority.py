"""The yardstick below all: always the answer that training shows most often.

Of numbers that are scored as numbers it is their middle: the mean, or the median where they are
whole.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from afina.errors import ArtefactError
from afina.solver import Packed, Prediction, Span, Value, Values
from afina.task.metrics import COUNTED
from afina.task.signature import Integer, Number
from afina.task.task import Task


@dataclass(frozen=True)
class Majority:
    """Gives one answer to everything."""

    target: str
    answer: Value

    @property
    def parameters(self) -> int:
        return 0

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        return [Prediction({self.target: self.answer}) for _ in inputs]

    def pack(self) -> Packed:
        return Packed("majority", {"target": self.target, "answer": self.answer})


def most_common(task: Task) -> Majority:
    """The one answer that suits train best, by the target's type and the metric."""
    target = task.signature.target
    values = [example.outputs[target.name] for example in task.train]
    match target.type:
        case Number() if task.metric.name not in COUNTED:
            return Majority(target.name, statistics.mean(map(_number, values)))
        case Integer() if task.metric.name not in COUNTED:
            return Majority(target.name, round(statistics.median_low(map(_number, values))))
    return Majority(target.name, _commonest(values))


def _number(value: Value) -> int | float:
    assert isinstance(value, int | float)
    return value


def _commonest(values: Sequence[Value]) -> Value:
    """Of several equally common, the one seen first."""
    winner = Counter(repr(value) for value in values).most_common(1)[0][0]
    return next(value for value in values if repr(value) == winner)


def unpack_majority(packed: Packed) -> Majority:
    """The solver that was packed.

    Raises:
        ArtefactError: it names no target or no answer.
    """
    target, answer = packed.settings.get("target"), packed.settings.get("answer")
    if not isinstance(target, str) or not isinstance(answer, str | int | float | bool | list):
        raise ArtefactError(f"expected a target and its answer, got {target!r} and {answer!r}")
    return Majority(target, _spans(answer) if isinstance(answer, list) else answer)


def _spans(answer: list[Any]) -> list[Span] | list[str]:
    """A list as it was before JSON, which knows no spans."""
    if all(isinstance(part, str) for part in answer):
        return answer
    try:
        return [Span(int(start), int(end), str(label)) for start, end, label in answer]
    except (TypeError, ValueError) as error:
        raise ArtefactError(f"expected an answer of texts or spans, got {answer!r}") from error
