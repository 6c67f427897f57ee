"""One cell of the grid: what a side answers about one family, task and method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

CHECKS = ("trains", "saves", "padding", "alone", "generates", "checkpoints", "resumes")
LINE = 120  # characters of an error that a reason keeps

Verdict = Literal["yes", "no", "refused", "n/a"]
FAILED: tuple[Verdict, ...] = ("no", "refused")


@dataclass(frozen=True)
class Answer:
    """A check's verdict; a "no" has its reason, and ``size`` where something was measured.

    What an architecture does not allow is "refused" where the side says so by an error.
    """

    verdict: Verdict
    reason: str = ""
    size: float | None = None


YES = Answer("yes")
NOT_APPLICABLE = Answer("n/a")


@dataclass(frozen=True)
class Cell:
    """The answers of one side to all CHECKS for a family, a task and a method."""

    family: str
    task: str
    method: str
    answers: Mapping[str, Answer]

    def holds(self, *checks: str) -> bool:
        """Whether none of ``checks`` (of all of them, where none is named) fails."""
        return all(self.answers[check].verdict not in FAILED for check in checks or CHECKS)

    @property
    def refused(self) -> bool:
        """Whether all that is asked is refused, as the architecture does not allow it."""
        asked = [answer.verdict for answer in self.answers.values() if answer.verdict != "n/a"]
        return all(verdict == "refused" for verdict in asked)

    def applies(self, check: str) -> bool:
        return self.answers[check].verdict != "n/a"

    def __str__(self) -> str:
        if self.refused:
            return "refused"
        asked = sum(self.applies(check) for check in CHECKS)
        passed = sum(answer.verdict == "yes" for answer in self.answers.values())
        if passed == asked:
            return f"**{passed}/{asked}**"
        return f"{'trains' if self.holds('trains') else 'no'}, {passed}/{asked}"


class FaultError(Exception):
    """A check that ran and found a fault, of a size where it is a number."""

    def __init__(self, reason: str, size: float | None = None) -> None:
        super().__init__(reason)
        self.size = size


def ask(check: Callable[[], Answer], *, refusal: type[Exception] | None = None) -> Answer:
    """The check's answer; a "no" with its reason where it fails or the side raises.

    ``refusal`` is the error by which the side refuses what the architecture does not allow; None
    where it allows all.
    """
    try:
        return check()
    except FaultError as fault:
        return Answer("no", str(fault), fault.size)
    # A probe of a foreign library cannot know what it will raise, and one cell's crash must not
    # end the grid: whatever comes is this check's answer, kept with its kind and first line.
    except Exception as error:
        refused = refusal is not None and isinstance(error, refusal)
        return Answer("refused" if refused else "no", reason_of(error))


def reason_of(error: Exception) -> str:
    """An error's kind and first line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:LINE].rstrip(": ")
