"""`afina journal`: what was spent, on what, and what is forgotten."""

from pathlib import Path

import pytest

from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import ask
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM
from tests.folders import afina, refused


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder whose home has a journal: two runs, one of a model without a price."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFINA_HOME", raising=False)
    home = tmp_path / ".afina"
    journal = Journal(home / "journal.sqlite")
    for run, price in (("first", 0.25), ("second", None)):
        lm = ScriptedLM({"a": "one two", "b": "[/bold]"}, name=f"m-{run}", price=price)
        requests = [Request((Message("user", text),)) for text in "abac"]
        ask(Journaled(lm, journal, run=run), requests, 1)
    journal.close()
    return home


def test_the_table_has_a_line_a_run_and_a_sum() -> None:
    called = afina("journal")
    assert called.code == 0
    lines = [line.split() for line in called.out.splitlines()]
    assert lines[0] == "run model calls failed lost replays read written dollars kept".split()
    assert lines[2] == "first scripted:m-first 3 1 0 1 2 3 1.2500 2".split()
    assert lines[3] == "second scripted:m-second 3 1 0 1 2 3 0.0000+ ? 2".split()
    assert lines[5] == "all 6 2 0 2 4 6 1.2500+ ? 4".split()
    assert lines[6] == "calls without a known price (+ ?): 2".split()
    assert len(lines) == 7


def test_json_has_all_numbers() -> None:
    found = afina("journal", "--json").json
    assert found["rows"][0] == {
        **{"run": "first", "model": "scripted:m-first", "endpoint": "", "calls": 3, "failed": 1},
        **{"lost": 0, "under_way": 0, "kept": 2, "replays": 1, "read": 2, "written": 3},
        **{"cost": 1.25, "unpriced": 0, "seconds": 0.0},
    }
    assert found["total"] == {
        **{"calls": 6, "failed": 2, "lost": 0, "under_way": 0, "kept": 4, "replays": 2},
        **{"read": 4, "written": 6, "cost": 1.25, "unpriced": 2, "seconds": 0.0},
    }


def test_a_lost_call_and_one_under_way_are_told(here: Path) -> None:
    journal = Journal(here / "journal.sqlite")
    with journal.transaction() as connection:
        connection.execute("UPDATE calls SET state = 'lost' WHERE number = 1")
        connection.execute(
            "UPDATE calls SET state = 'reserved', pid = ?, start = ?, begun = 9e9 WHERE number = 2",
            journal.owner,
        )
    out = afina("journal").out
    assert "calls lost: they were broken off, and count as the most that they can have" in out
    assert "calls under way: they count as the most that they can take: 1" in out
    journal.close()


def test_a_home_without_a_journal_has_spent_nothing_and_stays_empty(tmp_path: Path) -> None:
    assert afina("journal", "--home", "nowhere").out == "no call is kept\n"
    found = afina("journal", "--home", "nowhere", "--json").json
    assert found["rows"] == []
    assert found["total"]["calls"] == 0
    refused(afina("journal", "forget", "--home", "nowhere", "--failed"), 2, "no calls are kept")
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("choice", "count"),
    [
        (["--run", "first"], 3),
        (["--model", "scripted:m-second"], 3),
        (["--failed"], 2),
        (["--older-than", "0"], 6),
        (["--older-than", "1"], 0),
        (["--run", "first", "--failed"], 1),
        (["--run", "first", "--model", "scripted:m-second"], 0),
    ],
)
def test_calls_that_fit_all_that_is_given_are_forgotten(choice: list[str], count: int) -> None:
    assert afina("journal", "forget", *choice).out == f"forgot {count} calls\n"
    assert afina("journal", "--json").json["total"]["cost"] == 1.25
    assert afina("journal", "forget", *choice, "--json").json == {"forgotten": 0}


def test_home_and_json_may_stand_before_forget_too(here: Path) -> None:
    here.rename(here.parent / "moved")
    found = afina("journal", "--home", "moved", "--json", "forget", "--failed")
    assert found.json == {"forgotten": 2}
    assert afina("journal", "forget", "--home", "moved", "--run", "first").out.startswith(
        "forgot 2"
    )


def test_forgetting_without_a_choice_is_refused() -> None:
    refused(afina("journal", "forget"), 2, "expected a choice of what to forget, got none")
    refused(afina("journal", "forget", "--run", "fist"), 2, "'fist'; did you mean 'first'?")
    refused(afina("journal", "forget", "--older-than", "-1"), 2, "at least 0 days")
    assert afina("journal", "--json").json["total"]["kept"] == 4


def test_a_file_that_is_no_journal_is_refused(here: Path) -> None:
    (here / "journal.sqlite").write_bytes(b"no database" * 1000)
    refused(afina("journal"), 3, "is damaged")
