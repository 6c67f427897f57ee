"""The prompts of kept runs: each with its digest, the one it was made from, and a message."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from afina.errors import InputError
from afina.hard.prompt import Prompt
from afina.store.columns import damage, to_text
from afina.store.store import Store


@dataclass(frozen=True)
class Version:
    """A run's prompt as it is kept; ``name`` is the prompt's in the run's program."""

    run: str
    name: str
    digest: str
    parent: str | None
    message: str
    created: datetime
    content: Mapping[str, object]


def keep_prompts(
    store: Store,
    run: str,
    prompts: Mapping[str, Prompt],
    *,
    message: str,
    parents: Mapping[str, str] | None = None,
) -> None:
    """Keep a run's prompts by name, with the digests they were made from; again, they stay."""
    created, made_from = store.clock().isoformat(), parents or {}
    rows = [
        (run, name, each.digest, made_from.get(name), message, created, to_text(each.to_json()))
        for name, each in prompts.items()
    ]
    with store.transaction() as connection:
        connection.executemany("INSERT OR IGNORE INTO prompts VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def describe_prompts(
    store: Store, run: str, *, parent: str | None = None, message: str | None = None
) -> None:
    """Tell what a run's prompts were made from, and what was changed; what is None stays.

    ``parent`` is a run: each prompt's parent is the one of its name there, or the only one.

    Raises:
        InputError: there is no such run, it has no written prompt, or none of that name.
    """
    parents = None if parent is None else of_run(store, parent)
    for version in of_run(store, run):
        made_from = version.parent if parents is None else same(parents, version.name).digest
        text = version.message if message is None else message
        with store.transaction() as connection:
            connection.execute(
                "UPDATE prompts SET parent = ?, message = ? WHERE run = ? AND name = ?",
                (made_from, text, version.run, version.name),
            )


def same(versions: list[Version], name: str) -> Version:
    """The prompt of a name, or the only one."""
    found = [each for each in versions if each.name == name]
    if not found and len(versions) > 1:
        names = ", ".join(each.name for each in versions)
        raise InputError(f"expected a run with a prompt called {name!r}, came one with {names}")
    return (found or versions)[0]


def of_run(store: Store, run: str) -> list[Version]:
    """The written prompts of a run, by name.

    Raises:
        InputError: there is no such run, or it has none.
    """
    found = store.run(run)
    versions = prompts_of(store, found.name)
    if not versions:
        raise InputError(
            f"expected a run with a written prompt, came {found.name!r}, {found.method}; name one "
            "of few-shot, or import a prompt"
        )
    return versions


def prompts_of(store: Store, run: str) -> list[Version]:
    """The written prompts of the run of exactly this name, which may have none."""
    with store.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM prompts WHERE run = ? ORDER BY name", (run,)
        ).fetchall()
    return [version_of(row, store) for row in rows]


def runs_with(store: Store, digest: str) -> list[str]:
    """The runs that have the prompt of a digest, oldest first."""
    with store.transaction() as connection:
        rows = connection.execute(
            "SELECT run FROM prompts WHERE digest = ? ORDER BY created, run", (digest,)
        ).fetchall()
    return [row["run"] for row in rows]


def version_of(row: sqlite3.Row, store: Store) -> Version:
    """A prompt from its columns."""
    with damage(store.path, f"prompt {row['name']!r} of {row['run']!r}"):
        return Version(
            row["run"],
            row["name"],
            row["digest"],
            row["parent"],
            row["message"],
            datetime.fromisoformat(row["created"]),
            dict(json.loads(row["content"])),
        )
