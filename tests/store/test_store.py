"""What is kept comes back whole, under its name, for several processes at once."""

import doctest
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from afina.errors import ArtefactError, InputError
from afina.evaluation.report import Report
from afina.solver import Usage
from afina.store.run import Run
from afina.store.store import Store, utc_now
from afina.task.sealed import Ledger


def test_a_run_comes_back_as_it_was_kept(store: Store, run: Run) -> None:
    kept = store.add_run(run)
    assert kept == replace(
        run,
        created=datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC),
        folder=store.home / "runs" / run.name,
    )
    assert store.run(run.name) == kept
    assert kept.folder is not None
    assert kept.folder.is_dir()


def test_falsy_settings_arrive_unchanged(store: Store, run: Run) -> None:
    settings = store.add_run(run).settings
    assert settings == {
        "temperature": 0.0,
        "prefix": "",
        "cot": False,
        "stop": None,
        "sizes": [1, 2],
    }
    assert type(settings["temperature"]) is float
    assert settings["cot"] is False
    assert store.run(run.name).seed == 0


def test_a_run_is_updated_whole(store: Store, run: Run) -> None:
    kept = store.add_run(run)
    done = replace(
        kept,
        status="done",
        finished=datetime(2026, 2, 3, tzinfo=UTC),
        seconds=1.5,
        usage=Usage(3, 400, 0.125),
        parameters=640,
    )
    store.update_run(done)
    assert store.runs() == [done]
    store.update_run(replace(done, created=None, folder=None))
    assert store.runs() == [done]


def test_updating_takes_the_whole_name(store: Store, run: Run) -> None:
    store.add_run(run)
    with pytest.raises(InputError, match="'mr-maj'; add it first"):
        store.update_run(replace(run, name="mr-maj"))


def test_a_run_may_have_a_folder_elsewhere(store: Store, run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert store.add_run(replace(run, folder=elsewhere)).folder == elsewhere
    assert elsewhere.is_dir()


def test_a_home_may_be_moved(store: Store, run: Run, tmp_path: Path) -> None:
    store.add_run(run)
    moved = store.home.rename(tmp_path / "moved")
    assert Store(moved).run(run.name).folder == moved / "runs" / run.name


def test_a_name_is_taken_once(store: Store, run: Run) -> None:
    store.add_run(run)
    with pytest.raises(InputError, match="'mr-majority-abc23', which there is already"):
        store.add_run(run)


@pytest.mark.parametrize("folder", [None, Path("elsewhere")])
def test_a_name_that_is_no_plain_folder_is_refused(
    store: Store, run: Run, folder: Path | None
) -> None:
    with pytest.raises(InputError, match="expected a run's name"):
        store.add_run(replace(run, name="../a", folder=folder))
    assert not store.home.exists()


def test_runs_come_oldest_first(store: Store, run: Run) -> None:
    names = ["b", "a", "c"]
    for name in names:
        store.add_run(replace(run, name=name))
    assert [found.name for found in store.runs()] == names


def test_a_run_is_found_by_how_its_name_begins(store: Store, run: Run) -> None:
    for name in ("mr-rag", "mr-rag-2", "sst-rag"):
        store.add_run(replace(run, name=name))
    assert store.run("s").name == "sst-rag"
    assert store.run("mr-rag").name == "mr-rag"
    with pytest.raises(InputError, match="'mr', which begins mr-rag, mr-rag-2; write more"):
        store.run("mr")
    with pytest.raises(InputError, match="came 'mr-rga'; did you mean 'mr-rag'"):
        store.run("mr-rga")
    for strange in ("", "%", "_r-rag", "zzz"):
        with pytest.raises(InputError, match="expected the name of a run"):
            store.run(strange)


def test_a_report_comes_back_as_it_was_kept(store: Store, run: Run, report: Report) -> None:
    store.add_run(run)
    store.save_report(run.name, report)
    back = store.report(run.name, "dev")
    assert back == report
    assert [type(row.wanted) for row in back.rows] == [type(row.wanted) for row in report.rows]
    assert back.answers == report.answers
    assert repr(back) == repr(report)


def test_a_report_without_a_score_comes_back(store: Store, run: Run, report: Report) -> None:
    store.add_run(run)
    nothing = replace(report, score=None, low=None, high=None, latency_p50_ms=None)
    store.save_report(run.name, nothing)
    assert store.report(run.name, "dev") == nothing


def test_numpy_s_floats_come_back_as_python_s(store: Store, run: Run, report: Report) -> None:
    store.add_run(run)
    row = replace(report.rows[0], score=np.float32(0.5))
    store.save_report(run.name, replace(report, score=np.float64(0.25), rows=(row,), n=1))
    back = store.report(run.name, "dev")
    assert [(value, type(value)) for value in (back.score, back.rows[0].score)] == [
        (0.25, float),
        (0.5, float),
    ]


def test_a_report_takes_the_place_of_one_on_the_same_split(
    store: Store, run: Run, report: Report
) -> None:
    store.add_run(run)
    store.save_report(run.name, report)
    store.save_report(run.name, replace(report, split="test"))
    shorter = replace(report, rows=report.rows[:2], n=2, score=0.75)
    store.save_report(run.name, shorter)
    assert store.report(run.name, "dev") == shorter
    assert store.report(run.name, "test") == replace(report, split="test")


def test_the_splits_of_a_run_s_reports_are_known(store: Store, run: Run, report: Report) -> None:
    store.add_run(run)
    assert store.splits(run.name) == []
    for split in ("test", "dev"):
        store.save_report(run.name, replace(report, split=split))
    assert store.splits(run.name[:4]) == ["dev", "test"]
    with pytest.raises(InputError, match="expected the name of a run"):
        store.splits("other")


def test_a_report_that_is_not_there_names_those_that_are(
    store: Store, run: Run, report: Report
) -> None:
    store.add_run(run)
    with pytest.raises(InputError, match="expected a report on 'test', there is none"):
        store.report(run.name, "test")
    store.save_report(run.name, report)
    with pytest.raises(InputError, match="expected a report on 'test', there is dev"):
        store.report(run.name, "test")
    with pytest.raises(InputError, match="'other'"):
        store.save_report("other", report)


def test_openings_are_counted_by_task_and_shown_in_every_report(
    store: Store, run: Run, report: Report
) -> None:
    ledger: Ledger = store
    store.add_run(run)
    store.save_report(run.name, report)
    assert ledger.count(run.task_digest) == 0
    assert [ledger.record(run.task_digest, "afina test") for _ in range(3)] == [1, 2, 3]
    assert ledger.record("other", "afina test") == 1
    assert ledger.count(run.task_digest) == 3
    assert store.report(run.name, "dev").openings == 3
    assert Store(store.home).count(run.task_digest) == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE runs SET settings = '{'",
        "UPDATE runs SET created = 'yesterday'",
        "UPDATE predictions SET outputs = '[1]'",
        "UPDATE predictions SET wanted = 'x'",
        "DELETE FROM predictions WHERE place = 3",
    ],
)
def test_what_was_changed_by_hand_is_not_read(
    store: Store, run: Run, report: Report, change: str
) -> None:
    store.add_run(run)
    store.save_report(run.name, report)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(ArtefactError, match=r"store.db"):
        store.report(run.name, "dev")


def test_a_home_that_cannot_be_made_is_an_error_of_the_user(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/home: Not a directory"):
        Store(tmp_path / "file" / "home").runs()


WORKER = """
import sys
from pathlib import Path
from afina.store.run import Run
from afina.store.store import Store
store, who = Store(Path(sys.argv[1])), sys.argv[2]
input()
for n in range(25):
    store.add_run(Run(f"{who}-{n}", "mr", "d", "rag", "x", n))
    print(store.record("d", who))
"""


def test_processes_share_a_store_from_its_first_moment(tmp_path: Path) -> None:
    home = tmp_path / "home"
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, str(home), who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in ("a", "b", "c")
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    results = [worker.communicate() for worker in workers]
    assert [
        (worker.returncode, err) for worker, (_, err) in zip(workers, results, strict=True)
    ] == [(0, "")] * 3
    numbers = [int(line) for out, _ in results for line in out.split()]
    assert sorted(numbers) == list(range(1, 76))
    store = Store(home)
    assert (len(store.runs()), store.count("d")) == (75, 75)


def test_the_clock_is_in_utc(store: Store) -> None:
    assert utc_now().tzinfo is UTC
    store.record("d", "x")
    with closing(sqlite3.connect(store.path)) as connection:
        found = connection.execute("SELECT opened_by, opened FROM openings").fetchone()
    assert json.loads(json.dumps(found)) == ["x", "2026-01-02T03:04:05.678901+00:00"]


def test_the_page_s_examples_run() -> None:
    page = Path(__file__).parents[2] / "docs" / "store.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.failed == 0
    assert result.attempted > 0
