"""Tasks by their names, with commas between, each pinned to its data: ``name@digest``."""

import re
from collections.abc import Callable

from afina.errors import MismatchError
from afina.task.task import Task, load_task

DIGITS = 12  # of a digest
PINNED = re.compile(rf"(.+)@([0-9a-f]{{{DIGITS}}})")
Load = Callable[[str], Task]


def named_tasks(names: str, load: Load = load_task) -> list[Task]:
    """The tasks named, their tests sealed; the data of those that are pinned is what it was.

    Raises:
        InputError: one cannot be loaded.
        MismatchError: the data of one changed.
    """
    return [_read(name, load) for name in _split(names)]


def pinned(names: str, load: Load = load_task) -> str:
    """The same names, each with the digest of its data."""
    plain = [PINNED.sub(r"\1", name) for name in _split(names)]
    tasks = named_tasks(names, load)
    return ",".join(
        f"{name}@{task.digest[:DIGITS]}" for name, task in zip(plain, tasks, strict=True)
    )


def _split(names: str) -> list[str]:
    return [each.strip() for each in names.split(",") if each.strip()]


def _read(text: str, load: Load) -> Task:
    found = PINNED.fullmatch(text)
    task = load(found[1] if found else text).for_tuning()
    if found and task.digest[:DIGITS] != found[2]:
        raise MismatchError(
            f"the data of {found[1]!r} is {task.digest[:DIGITS]}, not {found[2]} as when the run "
            "was made; set it as it was, or start a run of another name"
        )
    return task
