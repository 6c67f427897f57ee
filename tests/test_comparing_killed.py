"""A comparison that was killed and called again gives the report of one that never was."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from afina.lm.journal import Journal
from tests.folders import lines, reviews, task_folder

TIMES = {"seconds", "latency_ms", "break_even"}
ROOT = Path(__file__).parent.parent
KILLS = 10
IN_FLIGHT = 32  # calls that may be under way when a process dies


def lives(folder: Path, home: Path, ks: list[int]) -> list[int]:
    """Compare in processes that die at their k-th calls, or never where k is 0; how they ended."""
    home.mkdir()
    arguments = [sys.executable, "-m", "tests.comparing_life", str(folder), str(home)]
    told = subprocess.run([*arguments, *map(str, ks)], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    ends: list[int] = json.loads(told.stdout)
    return ends


def timeless(facts: Any) -> Any:
    """Facts without what a clock told."""
    if isinstance(facts, dict):
        return {name: timeless(each) for name, each in facts.items() if name not in TIMES}
    return [timeless(each) for each in facts] if isinstance(facts, list) else facts


def report(home: Path) -> str:
    """The report's bytes but for times, and for the advice that tells them."""
    facts = timeless(json.loads((home / "report.json").read_text()))
    facts["advice"] = facts["advice"][:2]
    return json.dumps(facts, sort_keys=True)


def test_killed_at_ten_random_points_it_gives_the_same_report(tmp_path: Path) -> None:
    folder = task_folder(tmp_path, rows=lines(reviews(200)))
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert lives(folder, calm, [0]) == [0]
    whole = paid(calm)
    chance = random.Random(0)
    ks = [chance.randint(1, max(2, whole // 12)) for _ in range(KILLS)]
    assert lives(folder, killed, [*ks, 0]) == [*[-signal.SIGKILL] * KILLS, 0]
    assert report(killed) == report(calm)
    assert paid(killed) <= whole + KILLS * IN_FLIGHT


def paid(home: Path) -> int:
    """The calls that were made."""
    return sum(line.calls for line in Journal(home / "journal.sqlite").account())
