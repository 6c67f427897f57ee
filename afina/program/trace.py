"""A trace: what one run of a program asked, what came back, what it took, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from afina.solver import Usage, Values

Fault = Literal["", "call", "reply", "flow"]


@dataclass(frozen=True)
class Turn:
    """One asking of a named prompt.

    ``text`` is None where the call failed, and ``outputs`` where the text cannot be read as well;
    ``reason`` then says why.
    """

    prompt: str
    inputs: Values
    text: str | None
    outputs: Values | None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    reason: str = ""
    repeat: int = 0
    replayed: bool = False

    def to_json(self) -> dict[str, object]:
        """The turn as plain JSON, without its time, which is another at each run."""
        told: dict[str, object] = {
            "prompt": self.prompt,
            "inputs": dict(self.inputs),
            "text": self.text,
            "outputs": None if self.outputs is None else dict(self.outputs),
            "tokens": self.usage.tokens,
            "cost": self.usage.cost,
        }
        extra = {"reason": self.reason, "repeat": self.repeat}
        return told | {name: value for name, value in extra.items() if value}


@dataclass(frozen=True)
class Trace:
    """All turns of one example, in their order, and what the flow made of them.

    ``outputs`` is None where none came. ``fault`` then tells a call that failed, which says nothing
    of the program, from a reply that cannot be read and from a step of the flow that failed.
    """

    turns: tuple[Turn, ...]
    outputs: Values | None
    reason: str = ""
    fault: Fault = ""

    @property
    def usage(self) -> Usage:
        """What all turns took."""
        return sum((turn.usage for turn in self.turns), Usage())

    @property
    def seconds(self) -> float:
        """The seconds of all turns, one after the other."""
        return sum(turn.seconds for turn in self.turns)

    def of(self, prompt: str) -> tuple[Turn, ...]:
        """The turns of one prompt."""
        return tuple(turn for turn in self.turns if turn.prompt == prompt)

    def to_json(self) -> Mapping[str, object]:
        """The trace as plain JSON."""
        return {
            "turns": [turn.to_json() for turn in self.turns],
            "outputs": None if self.outputs is None else dict(self.outputs),
            "reason": self.reason,
            "fault": self.fault,
        }
