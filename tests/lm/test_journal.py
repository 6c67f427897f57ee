"""The file: who may read it, what it refuses, what it tells and what it forgets."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from afina.errors import ArtefactError, BusyError, InputError, MismatchError, SpaceError
from afina.lm import journal as journal_file
from afina.lm import journal_schema
from afina.lm.account import Line
from afina.lm.budget import Budget
from afina.lm.forgetting import DAY_SECONDS, Selection
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import ask
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    kept = Journal(tmp_path / "home" / "journal.sqlite")
    yield kept
    kept.close()


def said(*texts: str) -> list[Request]:
    return [Request((Message("user", text),)) for text in texts]


def asked(journal: Journal, *texts: str, name: str = "m", run: str = "") -> int:
    """Ask; how many calls it took."""
    known = {text: f"the answer to {text}" for text in texts if text != "unknown"}
    lm = ScriptedLM(lambda request: known[request.messages[0].content], name=name, price=0.5)
    ask(Journaled(lm, journal, run=run), said(*texts))
    return lm.calls


def failing(journal: Journal, text: str) -> None:
    assert isinstance(ask(Journaled(ScriptedLM({}), journal), said(text))[0], Missing)


# the file


def test_only_its_owner_may_read_it_and_the_files_beside_it(journal: Journal) -> None:
    before = os.umask(0)
    try:
        journal.account()
        asked(journal, "a")
        journal.account()
    finally:
        os.umask(before)
    files = list(journal.path.parent.iterdir())
    assert {path.name.removeprefix("journal.sqlite") for path in files} == {"", "-wal", "-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_nothing_is_made_before_it_is_used(journal: Journal) -> None:
    journal.close()
    assert not journal.path.parent.exists()


def test_it_can_be_used_again_after_it_was_closed(journal: Journal) -> None:
    assert asked(journal, "a") == 1
    journal.close()
    journal.replies.clear()
    assert asked(journal, "a") == 0


def test_a_newer_one_is_refused_and_left_alone(journal: Journal) -> None:
    asked(journal, "a")
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = journal.path.read_bytes()
    with pytest.raises(MismatchError, match=r"version 2 or older, came 99.*upgrade afina"):
        Journal(journal.path).account()
    assert journal.path.read_bytes() == before


def test_another_programs_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
    before = path.read_bytes()
    with pytest.raises(ArtefactError, match="another program's database"):
        Journal(path).find("")
    assert path.read_bytes() == before


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ArtefactError, match=r"is damaged: .*; move it away"):
        Journal(path).account()


@pytest.mark.parametrize("text", ["{", "[]", '{"text": "a", "mood": 1}', "{}"])
def test_a_damaged_reply_is_refused(journal: Journal, text: str) -> None:
    asked(journal, "a")
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("UPDATE calls SET reply = ?", (text,))
        connection.commit()
    journal.replies.clear()
    with pytest.raises(ArtefactError, match="expected a reply that the journal keeps, got"):
        asked(journal, "a")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        Journal(tmp_path / "file" / "journal.sqlite").account()


def test_a_full_disk_is_told_and_what_was_kept_stays(journal: Journal) -> None:
    assert asked(journal, "a") == 1
    with journal.opened() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    lm = ScriptedLM({"b" * 20_000: "1"})
    with pytest.raises(SpaceError, match=r"no space to write .*; free some and run again"):
        asyncio.run(Journaled(lm, journal).answer(said("b" * 20_000)[0]))
    assert lm.calls == 0
    journal.close()
    journal.replies.clear()
    assert asked(journal, "a") == 0
    assert ask(Journaled(lm, journal), said("b" * 20_000))[0] == Reply("1", "stop", 1, 1, 0.0)


def test_one_that_is_held_for_too_long_is_told(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_schema, "BUSY_SECONDS", 0.01)
    journal.account()
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="another process has held it"):
            asyncio.run(Journaled(ScriptedLM({}), journal).answer(said("a")[0]))
    assert asked(journal, "a") == 1


def test_memory_holds_so_many_replies_and_the_file_the_others(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "REMEMBERED", 10)
    texts = [str(number) for number in range(25)]
    assert asked(journal, *texts) == 25
    assert len(journal.replies) == 10
    assert asked(journal, *texts) == 0
    assert len(journal.replies) == 10


# what it tells


def test_the_account_is_by_run_and_model(journal: Journal) -> None:
    asked(journal, "a", "b b", run="r")
    asked(journal, "a", run="r")
    asked(journal, "a", name="n", run="s")
    asked(journal, "a", run="s")
    failing(journal, "c")
    words = {"a": 1 + 4, "b b": 2 + 5}
    assert journal.account() == [
        Line("", "scripted", "", 1, 1, 0, 0, 0, 0, 0, 0, 0.0, 0, 0.0),
        Line("r", "scripted:m", "", 2, 0, 0, 0, 2, 1, 3, 9, sum(words.values()) / 2, 0, 0.0),
        Line("s", "scripted:m", "", 0, 0, 0, 0, 0, 1, 0, 0, 0.0, 0, 0.0),
        Line("s", "scripted:n", "", 1, 0, 0, 0, 1, 0, 1, 4, words["a"] / 2, 0, 0.0),
    ]
    before = journal.account()
    journal.close()
    assert journal.account() == before


def test_replays_are_written_now_and_then(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "UNWRITTEN_REPLAYS", 10)
    lm = Journaled(ScriptedLM({"a": "1"}), journal)

    async def work() -> None:
        for _ in range(1 + 25):
            await lm.answer(said("a")[0])

    asyncio.run(work())
    other = Journal(journal.path)
    assert other.account()[0].replays == 20
    other.close()
    assert journal.account()[0].replays == 25


# what it forgets


def test_what_is_forgotten_is_asked_anew_and_still_counts(journal: Journal) -> None:
    asked(journal, "secret one", "secret two", run="r")
    (before,) = journal.account()
    assert journal.forget(Selection(run="r")) == 2
    (after,) = journal.account()
    assert (after.calls, after.cost, after.kept) == (before.calls, before.cost, 0)
    assert journal.entries("r")[-1].settled.calls == 2
    assert asked(journal, "secret one", run="r") == 1
    assert journal.forget(Selection(run="r")) == 1
    assert journal.forget(Selection(run="r")) == 0


def test_no_text_that_is_forgotten_stays_in_the_files(journal: Journal) -> None:
    asked(journal, "gone" * 5000, "gone")
    asked(journal, "stays", name="n")
    failing(journal, "gone")
    journal.close()
    before = journal.path.stat().st_size
    assert journal.forget(Selection(model="scripted:m")) == 2
    assert journal.path.stat().st_size <= before - 20_000
    assert journal.forget(Selection(failed=True)) == 1
    kept = b"".join(path.read_bytes() for path in journal.path.parent.iterdir())
    assert b"stays" in kept
    assert b"gone" not in kept


def test_a_selection_is_all_that_is_given(tmp_path: Path) -> None:
    now = [0.0]
    journal = Journal(tmp_path / "journal.sqlite", clock=lambda: now[0])
    asked(journal, "a", run="r")
    asked(journal, "b", run="s")
    failing(journal, "c")
    now[0] = 10 * DAY_SECONDS
    asked(journal, "d", run="r")
    assert journal.forget(Selection(run="r", older_than=10)) == 0
    assert journal.forget(Selection(run="r", older_than=9.9)) == 1
    assert journal.forget(Selection(run="r", failed=True)) == 0
    assert asked(journal, "d", run="r") == 0
    assert asked(journal, "b", run="r") == 0
    assert journal.forget(Selection(failed=True)) == 1
    assert [line.failed for line in journal.account()] == [1, 0, 0]
    assert journal.forget(Selection(older_than=0)) == 1
    assert asked(journal, "d", run="r") == 0
    journal.close()


def test_a_call_under_way_is_not_forgotten(journal: Journal) -> None:
    class Forgetful(ScriptedLM):
        async def answer(self, request: Request) -> Reply:
            assert journal.forget(Selection(run="r")) == 0
            return await super().answer(request)

    ask(Journaled(Forgetful({"a": "1"}), journal, run="r"), said("a"))
    assert journal.forget(Selection(run="r")) == 1


def test_another_process_sees_what_is_forgotten(journal: Journal) -> None:
    asked(journal, "a", run="r")
    other = Journal(journal.path)
    assert asked(other, "a", run="r") == 0
    journal.forget(Selection(run="r"))
    other.close()
    assert asked(Journal(journal.path), "a", run="r") == 1


def test_a_budget_does_not_grow_by_forgetting(journal: Journal) -> None:
    lm = Journaled(ScriptedLM({"a": "1", "b": "2"}), journal, Budget(calls=1), run="r")
    ask(lm, said("a"))
    journal.forget(Selection(run="r"))
    assert journal.entries("r")[-1].settled.calls == 1


def test_a_choice_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="expected a choice of what to forget, got none"):
        Selection()
    for days in (-1.0, float("nan")):
        with pytest.raises(InputError, match="an age of at least 0 days"):
            Selection(older_than=days)
    assert Selection(run="").run == ""


def test_a_model_or_run_that_is_not_there_is_refused(journal: Journal) -> None:
    asked(journal, "a", run="tuning")
    with pytest.raises(
        InputError, match="a run of the journal, got 'tunnig'; did you mean 'tuning'"
    ):
        journal.forget(Selection(run="tunnig"))
    with pytest.raises(InputError, match="a model of the journal, got 'zzz'; the journal has none"):
        journal.forget(Selection(model="zzz"))
    assert asked(journal, "a") == 0
