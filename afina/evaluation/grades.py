"""Grades: each example's own score under each method, and which examples one fixes or breaks."""

from collections.abc import Sequence
from dataclasses import dataclass

from afina.evaluation.report import Report

Grades = tuple[float | None, ...]


def grades(reports: Sequence[Report]) -> Grades:
    """Each example's mean score over seeds; None where no seed answered it.

    Where the metric has no score of a single example it is 1 if the answer is the wanted one.
    """
    by_seed = [own_grades(report) for report in reports]
    return tuple(mean_of_known(cells) for cells in zip(*by_seed, strict=True))


def own_grades(report: Report) -> list[float | None]:
    """Each example's score in one report."""
    return [
        None if got is None else float(got == row.wanted) if row.score is None else row.score
        for row, got in zip(report.rows, report.answers, strict=True)
    ]


def mean_of_known(cells: Sequence[float | None]) -> float | None:
    """The mean of the numbers that are there."""
    known = [cell for cell in cells if cell is not None]
    return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class Change:
    """The examples, by id, that ``b`` answers better than ``a``, and those it answers worse."""

    a: str
    b: str
    fixed: tuple[str, ...]
    broken: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The change as plain JSON."""
        return {"a": self.a, "b": self.b, "fixed": list(self.fixed), "broken": list(self.broken)}


def change(a: str, b: str, ids: Sequence[str], first: Grades, second: Grades) -> Change:
    """What going from one method to another fixes and breaks, where both answered."""
    both = [
        (name, after - before)
        for name, before, after in zip(ids, first, second, strict=True)
        if before is not None and after is not None
    ]
    return Change(
        a,
        b,
        fixed=tuple(name for name, gain in both if gain > 0),
        broken=tuple(name for name, gain in both if gain < 0),
    )
