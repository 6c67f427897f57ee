"""The journal's database: plain columns, one numbered migration a change, none ever edited."""

import os
import sqlite3
from pathlib import Path

from afina.database import BUSY_SECONDS, Schema, write_ahead
from afina.disk import write_fault

APPLICATION = 0x41464A4C  # "AFJL"
CHECKPOINT_PAGES = 4000  # a checkpoint waits for the device: not too often
MIGRATIONS = (
    (
        """
        CREATE TABLE calls (
            number INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            run TEXT NOT NULL,
            model TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            identity TEXT NOT NULL,  -- JSON
            request TEXT,  -- JSON, none once forgotten
            reply TEXT,  -- JSON, none where there is none or it was forgotten
            state TEXT NOT NULL,  -- reserved, done, failed, lost or forgotten
            live INTEGER,  -- 1 while it is reserved, or done and not forgotten; else none
            read INTEGER NOT NULL,  -- this and the next two: the most, until it is settled
            written INTEGER NOT NULL,
            cost REAL,
            seconds REAL NOT NULL,
            attempts INTEGER NOT NULL,
            reason TEXT NOT NULL,
            pid INTEGER NOT NULL,
            start TEXT NOT NULL,
            begun REAL NOT NULL,  -- this and the next: seconds since 1970
            ended REAL
        )
        """,
        # At most one call of a key is under way or has an answer.
        "CREATE UNIQUE INDEX live_calls ON calls (key) WHERE live",
        "CREATE INDEX open_calls ON calls (pid, start, begun) WHERE state = 'reserved'",
        """
        CREATE TABLE ledger (  -- a row an event, with the run's sums after it; only added to
            run TEXT NOT NULL,
            number INTEGER NOT NULL,
            call INTEGER NOT NULL,
            event TEXT NOT NULL,  -- reserved, done, failed or lost
            at REAL NOT NULL,
            settled_calls INTEGER NOT NULL,
            settled_tokens INTEGER NOT NULL,
            settled_picodollars INTEGER NOT NULL,
            reserved_calls INTEGER NOT NULL,
            reserved_tokens INTEGER NOT NULL,
            reserved_picodollars INTEGER NOT NULL,
            PRIMARY KEY (run, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE replays (
            run TEXT NOT NULL,
            model TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            replays INTEGER NOT NULL,
            PRIMARY KEY (run, model, endpoint)
        )
        """,
    ),
    (
        """
        CREATE TABLE vectors (
            key TEXT PRIMARY KEY,  -- of the model and the text
            call TEXT NOT NULL,  -- the key of the call that brought it
            vector BLOB NOT NULL  -- its numbers, four bytes each, the lowest first
        ) WITHOUT ROWID
        """,
        "CREATE INDEX vectors_of_calls ON vectors (call)",
    ),
)
SCHEMA = Schema("journal", APPLICATION, MIGRATIONS)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an up-to-date journal, made for its owner alone where there is none.

    Raises:
        InputError: the file cannot be made.
        ArtefactError: it is another program's database.
        MismatchError: a newer afina made it.
    """
    make_file(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def make_file(path: Path) -> None:
    """Make an empty file that only its owner may read; SQLite's files beside it follow it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise write_fault(path, error, 0) from error


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a journal up to date, once, whoever comes first."""
    SCHEMA.check(connection, path)
    write_ahead(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    SCHEMA.migrate(connection)
