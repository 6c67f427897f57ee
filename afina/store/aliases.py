"""Aliases: names such as ``production`` that stand for a run, and can be moved on and back."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from afina.errors import InputError
from afina.store.columns import damage
from afina.store.run import check_name
from afina.store.store import Store, aliased, row_of


@dataclass(frozen=True)
class Place:
    """A run that an alias stood for, since when, and when it was moved back from there."""

    alias: str
    run: str
    moved: datetime
    left: datetime | None = None


def move_alias(store: Store, alias: str, run: str) -> Place:
    """Let an alias stand for a finished run; where it stood before is remembered.

    Raises:
        InputError: a run has that name, there is no such run, or it is not finished.
    """
    check_name(alias)
    found = store.run(run)
    if found.status != "done":
        raise InputError(
            f"expected a finished run, came {found.name!r}, which is {found.status}; finish it "
            f"with: afina resume {found.name}"
        )
    with store.transaction() as connection:
        if row_of(connection, alias) is not None:
            raise InputError(
                f"expected a new name, came {alias!r}, which a run has; choose another"
            )
        if aliased(connection, alias) != found.name:
            connection.execute(
                "INSERT INTO aliases (alias, run, moved) VALUES (?, ?, ?)",
                (alias, found.name, store.clock().isoformat()),
            )
        return standing(connection, alias, store)[-1]


def move_back(store: Store, alias: str) -> Place:
    """Let an alias stand where it stood before.

    Raises:
        InputError: there is no such alias, or it stood nowhere before.
    """
    with store.transaction() as connection:
        there = standing(connection, alias, store)
        if len(there) < 2:
            where = f"it has only stood for {there[0].run!r}" if there else "there is none"
            raise InputError(f"expected an alias that was moved, came {alias!r}: {where}")
        connection.execute(
            "UPDATE aliases SET left_at = ? WHERE number = (SELECT max(number) FROM aliases"
            " WHERE alias = ? AND left_at IS NULL)",
            (store.clock().isoformat(), alias),
        )
    return there[-2]


def standing(connection: sqlite3.Connection, alias: str, store: Store) -> list[Place]:
    """The places of an alias that it was not moved back from, oldest first."""
    query = "SELECT * FROM aliases WHERE alias = ? AND left_at IS NULL ORDER BY number"
    return [place_of(row, store) for row in connection.execute(query, (alias,))]


def history(store: Store, alias: str) -> list[Place]:
    """All places of an alias, oldest first; none where there is no such alias."""
    query = "SELECT * FROM aliases WHERE alias = ? ORDER BY number"
    with store.transaction() as connection:
        return [place_of(row, store) for row in connection.execute(query, (alias,))]


def aliases(store: Store) -> list[Place]:
    """Where each alias stands, by name."""
    with store.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM aliases WHERE number IN (SELECT max(number) FROM aliases"
            " WHERE left_at IS NULL GROUP BY alias) ORDER BY alias"
        ).fetchall()
    return [place_of(row, store) for row in rows]


def place_of(row: sqlite3.Row, store: Store) -> Place:
    """A place from its columns."""
    with damage(store.path, f"alias {row['alias']!r}"):
        left = datetime.fromisoformat(row["left_at"]) if row["left_at"] else None
        return Place(row["alias"], row["run"], datetime.fromisoformat(row["moved"]), left)
