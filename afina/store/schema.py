"""The store's database: plain columns, one numbered migration a change, none ever edited."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from afina.database import BUSY_SECONDS, Schema, database_fault, write_ahead

APPLICATION = 0x4146494E  # "AFIN"
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
SCHEMA = Schema("store", APPLICATION, MIGRATIONS)


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
    SCHEMA.check(connection, path)
    write_ahead(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    SCHEMA.migrate(connection)
