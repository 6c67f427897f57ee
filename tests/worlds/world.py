"""A world: a task that no model can know beforehand, and how likely each prompt is to solve it.

All is plain Python without packages, so that other programs' environments can import it.
"""

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Turns = Sequence[tuple[str, str]]  # role and text


@dataclass(frozen=True)
class Row:
    """Inputs, and the output wanted."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Chance:
    """What a request should be answered with, what else may come, and how likely it is right."""

    right: str
    wrong: tuple[str, ...]
    share: float


@dataclass(frozen=True)
class Evidence:
    """Something shown that tells of a rule: its subject, and what the rule says of it."""

    subject: str
    says: str
    sure: bool = True


class World(Protocol):
    """A task with its hidden rules."""

    name: str
    target: str  # the output that is scored
    stages: Mapping[str, tuple[tuple[str, ...], str]]  # a prompt's inputs and output, by its name
    instructions: Mapping[str, str]  # where a search starts

    def rows(self, split: str, count: int) -> list[Row]:
        """Examples of a split, the same each time."""

    def chance(self, stage: str, turns: Turns) -> Chance:
        """How a task's request is answered."""

    def evidence(self, stage: str, text: str) -> list[Evidence]:
        """What examples in a proposer's request tell, each as often as it stands there."""

    def rules(self, stage: str, text: str) -> list[Evidence]:
        """The rules that stand in words in a text, right or wrong."""

    def rule(self, stage: str, known: Evidence) -> str:
        """A rule in words."""

    def others(self, stage: str, says: str) -> list[str]:
        """What a wrong rule may say instead."""

    def feedback(self, row: Row, steps: Mapping[str, str]) -> str:
        """What a metric writes about what came out of each stage."""


def drawn(*parts: object) -> random.Random:
    """A generator that its parts decide."""
    text = "\x1f".join(map(str, parts))
    return random.Random(hashlib.sha256(text.encode()).digest())


def last_line(text: str, field: str) -> str:
    """The value of an input in a user's turn, plain or in DSPy's form.

    >>> last_line("note: a b\\nqueue:", "note"), last_line("[[ ## note ## ]]\\na b\\n\\nx", "note")
    ('a b', 'a b')
    """
    found = re.findall(rf"(?:^{field}: |\[\[ ## {field} ## \]\]\n)(.*)$", text, re.MULTILINE)
    return found[-1].strip() if found else ""


def shown(turns: Turns, fields: Sequence[str], target: str) -> list[tuple[str, str]]:
    """The demonstrations of a conversation: the text of the inputs, and the output shown."""
    found = []
    for (role, asked), (other, said) in pairwise(turns):
        if role == "user" and other == "assistant":
            inputs = " ".join(last_line(asked, field) for field in fields)
            found.append((inputs, last_line(said, target) or said.strip()))
    return found


def instruction_of(turns: Turns) -> str:
    """What the system says."""
    return "\n".join(text for role, text in turns if role == "system")
