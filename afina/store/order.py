"""An order: all that decides a run's result, and how a run's folder remembers it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from afina.disk import Disk, replace_file
from afina.errors import ArtefactError, MismatchError
from afina.store.run import Run
from afina.task.signature import Signature
from afina.task.task import Task

ORDER = "order.json"
MADE = "made.json"


@dataclass(frozen=True)
class Order:
    """All that decides a run's result: the task, the method, the model, the seed, the settings."""

    task: str  # a folder or a Hub name
    method: str
    model: str
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)


def order_of(run: Run) -> Order:
    """What a kept run was asked to be."""
    return Order(run.task, run.method, run.model, run.seed, dict(run.settings))


def check_same_order(run: Run, task: Task, order: Order) -> None:
    """Refuse to take one order's run for another's."""
    before = {**asdict(order_of(run)), "data": run.task_digest[:12]}
    now = {**asdict(order), "data": task.digest[:12]}
    for name, value in now.items():
        if before[name] != value:
            raise MismatchError(
                f"run {run.name!r} was made with {name} {before[name]!r}, not {value!r}; "
                "name another run"
            )


def claim(folder: Path, task: Task, order: Order, disk: Disk) -> None:
    """Write what a folder is for.

    Raises:
        MismatchError: it is for something else already.
    """
    mine = {**asdict(order), "settings": dict(order.settings), "task_digest": task.digest}
    path = folder / ORDER
    if not path.exists():
        facts = {**mine, "signature": str(task.signature)}
        replace_file(path, json.dumps(facts, indent=1).encode(), disk)
        return
    there = read_facts(path, disk)
    for name, value in mine.items():
        if there.get(name) != json.loads(json.dumps(value)):
            raise MismatchError(
                f"{folder} holds a run with {name} {there.get(name)!r}, not {value!r}; "
                "name another folder or run"
            )


def made_of(run: Run) -> dict[str, Any]:
    """What a run remembers of its making: loss curve, dev scores, settings it chose."""
    assert run.folder is not None
    path = run.folder / MADE
    return read_facts(path, Disk()) if path.is_file() else {}


def signature_of(run: Run) -> Signature:
    """What a run's solver takes and gives; its task's data need not be there any more."""
    assert run.folder is not None
    path = run.folder / ORDER
    return Signature.parse(str(read_facts(path, Disk()).get("signature")))


def read_facts(path: Path, disk: Disk) -> dict[str, Any]:
    """A JSON object that we wrote."""
    try:
        facts = json.loads(disk.read(path))
        if not isinstance(facts, dict):
            raise ValueError(f"expected an object, came {type(facts).__name__}")
    except (ValueError, RecursionError, OSError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); start under another name") from error
    return facts
