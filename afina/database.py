"""A SQLite file of ours: whose it is, which version, brought up to date, and our errors for its."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from afina.errors import AfinaError, ArtefactError, BusyError, InputError, MismatchError, SpaceError

BUSY_SECONDS = 20.0
AGAIN_SECONDS = 0.01


@dataclass(frozen=True)
class Schema:
    """What a file holds; a change adds a migration, and none is ever edited."""

    noun: str  # the word for it
    application: int  # so that no other program's database is taken for ours
    migrations: Sequence[Sequence[str]]  # statements, a version each

    def migrate(self, connection: sqlite3.Connection) -> None:
        """Bring a database that was checked up to date, once, whoever comes first."""
        if pragma(connection, "user_version") == len(self.migrations):
            return
        connection.execute("BEGIN IMMEDIATE")
        for number in range(pragma(connection, "user_version"), len(self.migrations)):
            for statement in self.migrations[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute(f"PRAGMA application_id = {self.application}")
        connection.execute("COMMIT")

    def check(self, connection: sqlite3.Connection, path: Path) -> None:
        """See whose it is; nothing is written.

        Raises:
            ArtefactError: it is another program's.
            MismatchError: a newer afina made it.
        """
        connection.execute("BEGIN")  # what is read belongs together
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        application = pragma(connection, "application_id")
        version = pragma(connection, "user_version")
        connection.execute("COMMIT")
        if not empty and application != self.application:
            raise ArtefactError(
                f"{path}: expected afina's {self.noun}, came another program's database"
            )
        if version > len(self.migrations):
            raise MismatchError(
                f"{path}: expected a {self.noun} of version {len(self.migrations)} or older, came "
                f"{version}, made by a newer afina; upgrade afina"
            )


def write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers go on beside a writer; SQLite itself waits for no other that turns this on."""
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
            time.sleep(AGAIN_SECONDS)


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """One of the numbers in the head of the file."""
    number: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return number


def database_fault(path: Path, error: sqlite3.Error) -> AfinaError:
    """Our error for one of SQLite's."""
    # A fault of Python's sqlite3 itself has no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
        return SpaceError(f"no space to write {path}: {error}; free some and run again")
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return BusyError(f"{path}: another process has held it for {BUSY_SECONDS:.0f} s; wait")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return InputError(f"cannot open {path}: {error}; choose a folder that can be written")
        case sqlite3.SQLITE_IOERR:
            return AfinaError(f"cannot use {path}: {error}; the disk fails")
        case _:
            return ArtefactError(
                f"{path} is damaged: {error}; move it away, and a new one is begun"
            )
