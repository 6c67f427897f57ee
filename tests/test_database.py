"""SQLite files that several processes open at once."""

import sqlite3
import threading
from pathlib import Path

import pytest

from afina.database import write_ahead


def test_turning_write_ahead_on_waits_for_who_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    other = sqlite3.connect(path, timeout=0.0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("PRAGMA journal_mode = WAL")
    timer = threading.Timer(0.2, holder.execute, ["COMMIT"])
    timer.start()
    write_ahead(other)
    timer.join()
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    holder.close()
    other.close()
