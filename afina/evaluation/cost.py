"""Cost: what tuning took once, what each answer takes, and from how many calls on that pays."""

from dataclasses import dataclass
from typing import Literal

from afina.solver import Usage

Unit = Literal["cost", "seconds"]


@dataclass(frozen=True)
class Each:
    """What one answer takes on average; ``seconds`` is the median of rows asked one at a time."""

    calls: float
    tokens: float
    cost: float
    seconds: float | None

    def to_json(self) -> dict[str, object]:
        """What an answer takes as plain JSON."""
        return vars(self).copy()


def each_answer(usage: Usage, answers: int, latency_p50_ms: float | None) -> Each:
    """What was used, by the answer."""
    share = 1 / answers if answers else 0.0
    seconds = None if latency_p50_ms is None else latency_p50_ms / 1000
    return Each(usage.calls * share, usage.tokens * share, usage.cost * share, seconds)


@dataclass(frozen=True)
class Bill:
    """What a method costs in one unit: once, to tune it, and for each call."""

    label: str
    once: float
    each: float

    def total(self, calls: float) -> float:
        """What tuning and so many calls cost."""
        return self.once + self.each * calls


@dataclass(frozen=True)
class BreakEven:
    """Total cost of two methods by the number of calls.

    Up to ``calls`` calls ``first`` is the cheaper one, from then on ``second``; None where it
    stays so for ever.
    """

    unit: Unit
    first: Bill
    second: Bill
    calls: float | None

    def to_json(self) -> dict[str, object]:
        """The break-even as plain JSON."""
        return {
            "unit": self.unit,
            "first": vars(self.first),
            "second": vars(self.second),
            "calls": self.calls,
        }


def break_even(unit: Unit, one: Bill, other: Bill) -> BreakEven:
    """From how many calls on the bill that begins higher is the lower one.

    >>> break_even("cost", Bill("written", 0.0, 0.002), Bill("tuned", 1.0, 0.001)).calls
    1000.0
    """
    first, second = sorted((one, other), key=lambda bill: (bill.once, bill.each))
    saved = first.each - second.each
    calls = (second.once - first.once) / saved if saved > 0 else None
    return BreakEven(unit, first, second, calls)
