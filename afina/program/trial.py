"""A trial: a program that a search made, whom it comes from, and how it scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from afina.hard.prompt import Prompt


@dataclass(frozen=True)
class Trial:
    """One candidate; ``parent`` is the number of the one it was made from.

    ``score`` is the mean over ``n`` examples of dev, None where it was not scored, or where calls
    failed for too many of them. ``calls`` is what the search had made when it was done.
    """

    number: int
    parent: int | None
    how: str
    prompts: Mapping[str, Prompt] = field(repr=False)
    score: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    missing: int = 0
    calls: int = 0

    def to_json(self) -> dict[str, object]:
        """The trial with its prompts as plain JSON."""
        prompts = {name: prompt.to_json() for name, prompt in self.prompts.items()}
        return {**vars(self), "prompts": prompts}


def size_of(prompts: Mapping[str, Prompt]) -> int:
    """The characters that prompts have before a row: of two equal ones the smaller is taken."""
    openings = [
        message.content
        for prompt in prompts.values()
        for message in (prompt.opening() if prompt.fixed else prompt.shown)
    ]
    return sum(map(len, openings)) + sum(
        len(prompt.signature.instruction) for prompt in prompts.values() if not prompt.fixed
    )
