"""A run: a report kept, with everything needed to repeat it."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from afina.errors import InputError
from afina.solver import Usage

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True)
class Run:
    """What was tuned: all that is needed to repeat it, and what it took.

    ``status`` is the tuner's word: running, done, failed, interrupted. ``created`` and ``folder``
    are the store's where they are left out.
    """

    name: str
    task: str
    task_digest: str
    method: str
    model: str
    seed: int
    settings: Mapping[str, object] = field(default_factory=dict)
    status: str = "running"
    created: datetime | None = None
    finished: datetime | None = None
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    parameters: int = 0
    folder: Path | None = None


def run_name(task: str, method: str, generator: random.Random) -> str:
    """A name for a run, such as ``mr-prompt-tuning-7k3q9``."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{task}-{method}".lower()).strip("-")[:80].strip("-")
    return f"{words}-{''.join(generator.choices(LETTERS, k=5))}".lstrip("-")


def check_name(name: str) -> str:
    """Refuse a name that would not be one plain folder; gives it back."""
    if not NAME.fullmatch(name) or ".." in name:
        raise InputError(
            f"expected a run's name of a-z, 0-9, '.', '_' and '-', at most 100, came {name!r}"
        )
    return name
