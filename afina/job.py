"""A job: what a method is given; and what it makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from afina.disk import Disk
from afina.solver import Packed, Solver
from afina.task.task import Task, load_task
from afina.training.watch import Watch

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.lm.lm import LM
    from afina.retrieval.embedding import Embedding


def no_lm() -> "LM":
    raise AssertionError("this job has no language model")


def no_named_lm(name: str) -> "LM":
    raise AssertionError(f"this job has no other language model, not even {name}")


def no_embedding(name: str) -> "Embedding":
    raise AssertionError(f"this job has no model of vectors, not even {name}")


@dataclass(frozen=True)
class Job:
    """What a method is given: a task without its test rows, a model, and where to keep its state.

    ``backbone`` loads the model, or hands out the one already loaded, and ``lm`` the same to be
    asked in words. By a name ``named_lm`` gives another language model, ``embedding`` a model of
    vectors, ``bundle`` what another run has kept, ``source`` a task to learn from.
    """

    task: Task
    model: str
    backbone: "Callable[[], Backbone]"
    bundle: Callable[[str], Packed]
    folder: Path
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    disk: Disk = field(default_factory=Disk)
    source: Callable[[str], Task] = load_task
    lm: "Callable[[], LM]" = no_lm
    named_lm: "Callable[[str], LM]" = no_named_lm
    embedding: "Callable[[str], Embedding]" = no_embedding


@dataclass(frozen=True)
class Made:
    """A solver, and what is to be remembered of its making (plain JSON)."""

    solver: Solver
    facts: Mapping[str, object] = field(default_factory=dict)
