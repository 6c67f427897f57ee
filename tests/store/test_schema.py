"""A database is ours, whole and not too new, or it is refused by name."""

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from afina.database import database_fault
from afina.errors import (
    AfinaError,
    ArtefactError,
    BusyError,
    InputError,
    MismatchError,
    SpaceError,
)
from afina.store import schema
from afina.store.schema import APPLICATION, MIGRATIONS, transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "store.db"
    with transaction(found):
        pass
    return found


def add_opening(connection: sqlite3.Connection, text: str = "x") -> None:
    connection.execute(
        "INSERT INTO openings (task_digest, opened_by, opened) VALUES (?, ?, ?)", ("d", text, "t")
    )


def openings(path: Path) -> int:
    with transaction(path) as connection:
        return int(connection.execute("SELECT count(*) FROM openings").fetchone()[0])


def test_migrations_are_never_edited() -> None:
    """Add a migration and its digest; a digest that is here stays."""
    digests = [hashlib.sha256("".join(part).encode()).hexdigest()[:16] for part in MIGRATIONS]
    assert digests == ["468c67669ae80a79", "1f4113c1fc642336"]


def test_a_new_database_is_ours_and_logs_ahead(path: Path) -> None:
    with transaction(path) as connection:
        names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert {"runs", "reports", "predictions", "openings", "prompts", "aliases"} <= names
        for pragma, value in (
            ("application_id", APPLICATION),
            ("user_version", len(MIGRATIONS)),
            ("journal_mode", "wal"),
            ("foreign_keys", 1),
        ):
            assert connection.execute(f"PRAGMA {pragma}").fetchone()[0] == value


def test_what_raises_leaves_nothing(path: Path) -> None:
    with suppress(ZeroDivisionError), transaction(path) as connection:
        add_opening(connection)
        raise ZeroDivisionError
    assert openings(path) == 0
    with transaction(path) as connection:
        add_opening(connection)
    assert openings(path) == 1


def test_an_older_database_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(path) as connection:
        add_opening(connection)
    later = (*MIGRATIONS, ("ALTER TABLE openings ADD COLUMN note TEXT",))
    monkeypatch.setattr(schema, "SCHEMA", replace(schema.SCHEMA, migrations=later))
    with transaction(path) as connection:
        assert connection.execute("SELECT note FROM openings").fetchone()["note"] is None
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS) + 1


def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ("CREATE TABLE extra (x)", "NOT SQL")
    with monkeypatch.context() as patched:
        later = replace(schema.SCHEMA, migrations=(*MIGRATIONS, broken))
        patched.setattr(schema, "SCHEMA", later)
        with pytest.raises(ArtefactError), transaction(path):
            pass
    with transaction(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert not connection.execute("SELECT * FROM sqlite_master WHERE name = 'extra'").fetchall()


def test_a_newer_afina_s_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(
        MismatchError, match=r"store.db: expected a store of version 2 or older, came 99"
    ):
        openings(path)
    assert path.read_bytes() == before


def test_another_program_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(ArtefactError, match="another program's database"):
        openings(path)
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused(path: Path) -> None:
    with transaction(path) as connection:
        for _ in range(2000):
            add_opening(connection, "x" * 100)
    whole = path.read_bytes()
    for broken in (
        b"not a database at all" * 100,
        whole[:100] + bytes(4000) + whole[4100:],
        whole[:9000],
    ):
        path.write_bytes(broken)
        with pytest.raises(ArtefactError, match=r"store.db is damaged") as caught:
            openings(path)
        assert caught.value.exit_code == 3


def test_a_table_that_is_gone_is_damage(path: Path) -> None:
    with transaction(path) as connection:
        connection.execute("DROP TABLE openings")
    with pytest.raises(ArtefactError, match="no such table"):
        openings(path)


def test_a_full_disk_is_no_space(path: Path) -> None:
    def fill() -> None:
        with transaction(path) as connection:
            connection.execute("PRAGMA max_page_count = 20")
            for _ in range(2000):
                add_opening(connection, "x" * 100)

    with pytest.raises(SpaceError, match=r"no space to write .*store.db") as caught:
        fill()
    assert caught.value.exit_code == 4
    assert openings(path) == 0


def test_a_file_over_the_size_limit_is_no_space_and_the_store_stays_whole(path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
from afina.errors import SpaceError
from afina.store.schema import transaction
limit = Path({str(path)!r}).stat().st_size + 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with transaction(Path({str(path)!r})) as connection:
        for _ in range(2000):
            connection.execute(
                "INSERT INTO openings (task_digest, opened_by, opened) VALUES ('d', ?, 't')",
                ("x" * 1000,),
            )
except SpaceError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"no space to write {path}" in result.stdout, result.stderr
    assert openings(path) == 0


def test_a_folder_that_is_not_there_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot open .*nowhere/store.db"):
        openings(tmp_path / "nowhere" / "store.db")


def test_a_database_held_for_long_is_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    with transaction(path), pytest.raises(BusyError, match="another process has held it"):
        openings(path)


def test_a_failing_disk_is_no_damage(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    assert type(database_fault(tmp_path, error)) is AfinaError
