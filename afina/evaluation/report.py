"""A report: predictions with their scores, the interval, and what they took."""

from collections.abc import Sequence
from dataclasses import dataclass

from afina.errors import MismatchError
from afina.solver import Prediction, Usage, Value

TOLERATED_MISSING = 0.01


@dataclass(frozen=True)
class Row:
    """One example: its id, what was wanted, what came; no score where none came or none is own."""

    id: str
    wanted: Value
    prediction: Prediction
    score: float | None


@dataclass(frozen=True)
class Report:
    """A solver's answers on a split; ``score`` is over the rows that are there, not the missing.

    ``low`` and ``high`` bound the score with 95 % confidence. ``n`` counts every example asked.
    ``openings`` is how often the task's sealed test had been opened.
    """

    metric: str
    split: str
    field: str
    score: float | None
    low: float | None
    high: float | None
    n: int
    missing: int
    seconds: float
    usage: Usage
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    rows: tuple[Row, ...]
    parameters: int = 0
    openings: int = 0

    @property
    def complete(self) -> bool:
        """Whether at most 1 % of the examples are missing."""
        return self.missing <= TOLERATED_MISSING * self.n

    @property
    def answers(self) -> list[Value | None]:
        """The scored field of each row; None where it is missing."""
        return [answer(row.prediction, self.field) for row in self.rows]


def answer(prediction: Prediction, field: str) -> Value | None:
    """What a prediction says for a field; None where it says nothing."""
    return None if prediction.outputs is None else prediction.outputs.get(field)


def check_same_examples(reports: Sequence[Report]) -> None:
    """Refuse to set reports side by side that are not about the same examples.

    Raises: MismatchError naming the first difference.
    """
    for report in reports[1:]:
        check_pair(reports[0], report)


def check_pair(first: Report, second: Report) -> None:
    """Refuse two reports of different metrics, splits, fields, numbers or order of examples."""
    for noun in ("metric", "split", "field", "n"):
        one, other = getattr(first, noun), getattr(second, noun)
        if one != other:
            raise MismatchError(
                f"expected reports of the same {noun}, came {one!r} and {other!r}; "
                "evaluate both on the same examples"
            )
    for place, (one, other) in enumerate(zip(first.rows, second.rows, strict=True)):
        if one.id != other.id:
            raise MismatchError(
                f"expected the same examples in the same order, came {one.id!r} and {other.id!r} "
                f"at place {place}; evaluate both on the same examples"
            )
