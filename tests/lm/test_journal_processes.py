"""Several processes share a journal, and some are killed: nothing wrong, nothing paid in vain."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from afina.lm.budget import NOTHING, PICO
from afina.lm.journal import Journal

Begin = Callable[..., subprocess.Popen[str]]
PROCESS = Path(__file__).parent / "journal_process.py"
UNSENT = 8 - 1  # calls of a process at its death, but for the one that killed it


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a process of the test; none outlives it."""
    with ExitStack() as stack:

        def begun(
            seed: int, *, operations: int, keys: int, dies: bool = False, money: float | None = None
        ) -> subprocess.Popen[str]:
            order = {
                **{"seed": seed, "operations": operations, "keys": keys},
                **{"own": keys + seed, "dies": dies, "money": money},
            }
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(PROCESS), str(tmp_path), json.dumps(order)],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=PROCESS.parent.parent.parent,
                )
            )
            stack.callback(process.kill)
            return process

        yield begun


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    out, fault = process.communicate(timeout=300)
    assert process.returncode == code, fault
    assert fault == ""
    return out


def fetches(folder: Path) -> Counter[str]:
    return Counter((folder / "notes").read_text().split())


@pytest.mark.parametrize(
    ("operations", "keys"), [(200, 300), pytest.param(2000, 3000, marks=pytest.mark.slow)]
)
def test_eight_processes_four_of_them_killed_pay_for_each_key_once(
    tmp_path: Path, begin: Begin, operations: int, keys: int
) -> None:
    """A killed process takes along at most its eight calls under way, which are made again.

    Those of them that it had reserved and not yet sent are spent too, since nobody can tell.
    """
    each = {"operations": operations, "keys": keys}
    doomed = [begin(seed, **each, dies=True) for seed in range(4)]
    others = [begin(seed, **each) for seed in range(4, 8)]
    for process in doomed:
        end(process, -signal.SIGKILL)
    for process in others:
        end(process)
    counts = fetches(tmp_path)
    assert max(counts.values()) <= 1 + 4
    assert counts.total() - len(counts) <= 4 * 8
    journal = Journal(tmp_path / "journal.sqlite")
    (line,) = journal.account()
    assert 0 <= line.calls - counts.total() <= 4 * UNSENT
    assert line.calls - line.kept == line.lost >= 4
    assert line.under_way == 0
    assert journal.entries("r")[-1].settled.calls == line.calls
    assert journal.entries("r")[-1].reserved == NOTHING
    journal.close()


def test_a_budget_holds_in_all_processes_and_outlives_the_killed(
    tmp_path: Path, begin: Begin
) -> None:
    each = {"operations": 400, "keys": 10_000, "money": 4.0}
    doomed = [begin(seed, **each, dies=True) for seed in range(2)]
    for process in doomed:
        end(process, -signal.SIGKILL)
    others = [begin(seed, **each) for seed in range(2, 4)]
    for process in others:
        assert "at most 4 dollars" in end(process)
    journal = Journal(tmp_path / "journal.sqlite")
    entries = journal.entries("r")
    assert [each.number for each in entries] == list(range(1, len(entries) + 1))
    assert max((each.settled + each.reserved).picodollars for each in entries) <= 4 * PICO
    assert entries[-1].reserved == NOTHING
    assert entries[-1].settled.picodollars > 39 * PICO // 10
    (line,) = journal.account()
    assert line.cost == pytest.approx(entries[-1].settled.dollars)
    assert line.lost == sum(each.event == "lost" for each in entries) >= 2
    assert 0 <= line.calls - fetches(tmp_path).total() <= 2 * UNSENT
    journal.close()


def test_what_a_killed_process_held_is_spent_and_is_asked_anew(
    tmp_path: Path, begin: Begin
) -> None:
    end(begin(9, operations=160, keys=10_000, dies=True), -signal.SIGKILL)
    journal = Journal(tmp_path / "journal.sqlite")
    (line,) = journal.account()
    assert line.lost > 0
    assert line.kept + line.lost == line.calls
    assert line.cost == pytest.approx(0.03 * line.kept + 0.10 * line.lost)
    end(begin(9, operations=160, keys=10_000))
    (after,) = journal.account()
    counts = fetches(tmp_path)
    assert counts["10009"] == 2
    assert after.kept == len(counts)
    assert after.lost == line.lost
    assert 0 <= line.lost - (counts.total() - len(counts)) <= UNSENT
    journal.close()
