"""The store's database: plain columns, one numbered migration a change, none ever edited."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from afina.errors import AfinaError, ArtefactError, BusyError, InputError, MismatchError, SpaceError

APPLICATION = 0x4146494E  # "AFIN", so that no other program's database is taken for ours.
BUSY_SECONDS = 20.0
MIGRATIONS = (
    (
        """
        CREATE TABLE runs (
            name TEXT PRIMARY KEY,
            task TEXT NOT NULL,
            task_digest TEXT NOT NULL,
            method TEXT NOT NULL,
            model TEXT NOT NULL,
            seed INTEGER NOT NULL,
            settings TEXT NOT NULL,  -- JSON
            status TEXT NOT NULL,
            created TEXT NOT NULL,
            finished TEXT,
            seconds REAL NOT NULL,
            calls INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            cost REAL NOT NULL,
            parameters INTEGER NOT NULL,
            folder TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE reports (
            run TEXT NOT NULL REFERENCES runs (name) ON DELETE CASCADE,
            split TEXT NOT NULL,
            metric TEXT NOT NULL,
            field TEXT NOT NULL,
            score REAL,
            low REAL,
            high REAL,
            n INTEGER NOT NULL,
            missing INTEGER NOT NULL,
            seconds REAL NOT NULL,
            calls INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            cost REAL NOT NULL,
            latency_p50_ms REAL,
            latency_p95_ms REAL,
            parameters INTEGER NOT NULL,
            openings INTEGER NOT NULL,
            PRIMARY KEY (run, split)
        )
        """,
        """
        CREATE TABLE predictions (
            run TEXT NOT NULL,
            split TEXT NOT NULL,
            place INTEGER NOT NULL,
            example TEXT NOT NULL,
            wanted TEXT NOT NULL,  -- JSON
            outputs TEXT,  -- JSON, none where no answer came
            evidence TEXT NOT NULL,  -- JSON
            calls INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            cost REAL NOT NULL,
            seconds REAL NOT NULL,
            reason TEXT NOT NULL,
            score REAL,
            PRIMARY KEY (run, split, place),
            FOREIGN KEY (run, split) REFERENCES reports (run, split) ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE openings (
            number INTEGER PRIMARY KEY,
            task_digest TEXT NOT NULL,
            opened_by TEXT NOT NULL,
            opened TEXT NOT NULL
        )
        """,
        """
        CREATE INDEX openings_of_a_task ON openings (task_digest)
        """,
    ),
    (
        """
        CREATE TABLE prompts (
            run TEXT NOT NULL REFERENCES runs (name) ON DELETE CASCADE,
            name TEXT NOT NULL,  -- in the run's program
            digest TEXT NOT NULL,
            parent TEXT,  -- the digest of the prompt it was made from
            message TEXT NOT NULL,
            created TEXT NOT NULL,
            content TEXT NOT NULL,  -- JSON
            PRIMARY KEY (run, name)
        )
        """,
        """
        CREATE TABLE aliases (
            number INTEGER PRIMARY KEY,
            alias TEXT NOT NULL,
            run TEXT NOT NULL REFERENCES runs (name),
            moved TEXT NOT NULL,
            left_at TEXT  -- when it was moved back from there
        )
        """,
        """
        CREATE INDEX places_of_an_alias ON aliases (alias, number)
        """,
    ),
)


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to an up-to-date database; all that happens in the block happens, or nothing.

    Raises: ArtefactError for a damaged file or another program's; MismatchError for a newer
    version's; SpaceError where the disk is full; BusyError where another process holds on to it;
    InputError where it cannot be opened.
    """
    try:
        with closing(connect(path)) as connection:
            migrate(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise database_fault(path, error) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the file as it is; nothing is committed but by COMMIT."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database up to date, once, whoever comes first."""
    check_ours(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if pragma(connection, "user_version") == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    for number in range(pragma(connection, "user_version"), len(MIGRATIONS)):
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute("COMMIT")


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse another program's database, and a newer afina's."""
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not empty and pragma(connection, "application_id") != APPLICATION:
        raise ArtefactError(f"{path}: expected afina's store, came another program's database")
    version = pragma(connection, "user_version")
    if version > len(MIGRATIONS):
        raise MismatchError(
            f"{path}: expected a store of version {len(MIGRATIONS)} or older, came {version}, "
            "made by a newer afina; upgrade afina"
        )


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
