"""A run: a report kept, with everything needed to repeat it."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from afina.errors import InputError
from afina.solver import Usage
from afina.task.names import shown

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
    return f"{plain(task, method)}-{''.join(generator.choices(LETTERS, k=5))}".lstrip("-")


def plain(*words: str) -> str:
    """Words as a part of a run's name.

    >>> plain("../My Täsk", "prompt-tuning")
    'my-t-sk-prompt-tuning'
    """
    return re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-_")[:80].strip("-_")


def check_name(name: str) -> str:
    """The name of a run, unchanged; raises InputError where it is not one plain folder.

    Capital letters are refused: on some disks ``A`` and ``a`` are one folder.

    >>> check_name("mr-prompt-tuning-7k3q9")
    'mr-prompt-tuning-7k3q9'
    """
    if NAME.fullmatch(name) is None or ".." in name:
        raise InputError(
            "expected a run's name of at most 100 of a-z, 0-9, '.', '_' and '-', first a letter or"
            f" digit and without '..', came {shown(name)}"
        )
    return name
