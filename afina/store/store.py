"""The store: runs with their reports and predictions, and how often each sealed test was opened."""

import difflib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from afina.disk import write_fault
from afina.errors import ArtefactError, InputError
from afina.evaluation.report import Report
from afina.store.columns import (
    prediction_columns,
    report_columns,
    report_of,
    row_from,
    run_columns,
    run_of,
)
from afina.store.run import Run, check_name
from afina.store.schema import transaction


def utc_now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Store:
    """A folder with one database and a folder for each run; safe to use from several processes."""

    home: Path
    clock: Callable[[], datetime] = utc_now

    @property
    def path(self) -> Path:
        """The database."""
        return self.home / "store.db"

    def folder(self, name: str) -> Path:
        """Where a run's files are kept."""
        return self.home / "runs" / check_name(name)

    def kept(self, folder: Path) -> str:
        """A run's folder as the database has it: seen from home, so that home may be moved."""
        inside = folder.is_relative_to(self.home)
        return str(folder.relative_to(self.home) if inside else folder.absolute())

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection; what happens in the block happens whole or not at all."""
        make_folder(self.home)
        with transaction(self.path) as connection:
            yield connection

    def add_run(self, run: Run) -> Run:
        """Keep a new run and make its folder; gives it with the creation time and folder filled in.

        Raises: InputError where the name is taken or is no plain name.
        """
        check_name(run.name)
        created = run.created or self.clock()
        folder = run.folder or self.folder(run.name)
        with self.transaction() as connection:
            if row_of(connection, run.name) is not None:
                raise InputError(f"expected a new run, came {run.name!r}, which there is already")
            if aliased(connection, run.name) is not None:
                raise InputError(f"expected a new run, came {run.name!r}, which is an alias")
            make_folder(folder)
            columns = run_columns(run, created, self.kept(folder))
            connection.execute(
                f"INSERT INTO runs ({', '.join(columns)}) VALUES ({marks(columns)})",
                list(columns.values()),
            )
        return self.run(run.name)

    def update_run(self, run: Run) -> None:
        """Replace all that is kept of a run but its reports.

        Raises: InputError where there is no such run.
        """
        with self.transaction() as connection:
            row = row_of(connection, run.name)
            if row is None:
                raise InputError(f"expected a run of the store, came {run.name!r}; add it first")
            before = run_of(row, self.path)
            assert before.created is not None
            assert before.folder is not None
            folder = self.kept(run.folder or before.folder)
            columns = run_columns(run, run.created or before.created, folder)
            changes = ", ".join(f"{column} = ?" for column in columns)
            connection.execute(
                f"UPDATE runs SET {changes} WHERE name = ?", [*columns.values(), run.name]
            )

    def run(self, name: str) -> Run:
        """The run of this name or alias, or the only one whose name begins so.

        Raises: InputError, with the nearest name, where there is none or several.
        """
        with self.transaction() as connection:
            row = row_of(connection, name) or row_of(connection, aliased(connection, name) or "")
            if row is None:
                names = [found["name"] for found in connection.execute("SELECT name FROM runs")]
                row = row_of(connection, full_name(name, names))
        assert row is not None
        return run_of(row, self.path)

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        with self.transaction() as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY created, name").fetchall()
        return [run_of(row, self.path) for row in rows]

    def save_report(self, run: str, report: Report) -> None:
        """Keep a run's report, in the place of one on the same split.

        Raises: InputError where there is no such run.
        """
        name = self.run(run).name
        columns = report_columns(name, report)
        rows = [prediction_columns(name, report.split, n, row) for n, row in enumerate(report.rows)]
        with self.transaction() as connection:
            connection.execute(
                "DELETE FROM reports WHERE run = ? AND split = ?", (name, report.split)
            )
            connection.execute(
                f"INSERT INTO reports ({', '.join(columns)}) VALUES ({marks(columns)})",
                list(columns.values()),
            )
            connection.executemany(
                "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def report(self, run: str, split: str) -> Report:
        """A run's report with all its predictions, and the sealed test's openings until now.

        Raises: InputError where there is no such run or no report on the split; ArtefactError
        where what is kept is damaged.
        """
        found = self.run(run)
        key = (found.name, split)
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT * FROM reports WHERE run = ? AND split = ?", key
            ).fetchone()
            rows = connection.execute(
                "SELECT * FROM predictions WHERE run = ? AND split = ? ORDER BY place", key
            ).fetchall()
        if row is None:
            there = ", ".join(self.splits(found.name)) or "none"
            raise InputError(
                f"run {found.name!r}: expected a report on {split!r}, there is {there}"
            )
        if len(rows) != row["n"]:
            raise ArtefactError(
                f"{self.path}: expected {row['n']} predictions of {found.name!r}, came {len(rows)}"
            )
        openings = max(row["openings"], self.count(found.task_digest))
        return report_of(row, tuple(row_from(other, self.path) for other in rows), openings)

    def splits(self, run: str) -> list[str]:
        """The splits that a run has a report on.

        Raises: InputError where there is no such run.
        """
        name = self.run(run).name
        with self.transaction() as connection:
            rows = connection.execute(
                "SELECT split FROM reports WHERE run = ? ORDER BY split", (name,)
            ).fetchall()
        return [row["split"] for row in rows]

    def record(self, task_digest: str, by: str) -> int:
        """Note that a task's sealed test is opened; how often it was, this time included."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO openings (task_digest, opened_by, opened) VALUES (?, ?, ?)",
                (task_digest, by, self.clock().isoformat()),
            )
            return openings_of(connection, task_digest)

    def count(self, task_digest: str) -> int:
        """How often a task's sealed test was opened."""
        with self.transaction() as connection:
            return openings_of(connection, task_digest)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_fault(folder, error, 0) from error


def marks(columns: Mapping[str, object]) -> str:
    """A question mark a column."""
    return ", ".join("?" * len(columns))


def row_of(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """The row of a run of exactly this name."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM runs WHERE name = ?", (name,)
    ).fetchone()
    return row


def aliased(connection: sqlite3.Connection, alias: str) -> str | None:
    """The name of the run that an alias stands for."""
    row = connection.execute(
        "SELECT run FROM aliases WHERE alias = ? AND left_at IS NULL ORDER BY number DESC LIMIT 1",
        (alias,),
    ).fetchone()
    return None if row is None else str(row["run"])


def openings_of(connection: sqlite3.Connection, task_digest: str) -> int:
    """How many openings are noted."""
    query = "SELECT count(*) FROM openings WHERE task_digest = ?"
    number: int = connection.execute(query, (task_digest,)).fetchone()[0]
    return number


def full_name(start: str, names: list[str]) -> str:
    """The only name that begins so; refuses none and several."""
    found = [name for name in names if start and name.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"expected one run, came {start!r}, which begins {', '.join(sorted(found))}; write more"
        )
    near = difflib.get_close_matches(start, names, 1, 0.3)
    hint = f"did you mean {near[0]!r}?" if near else "the store has none like it"
    raise InputError(f"expected the name of a run, came {start!r}; {hint}")
