"""FAULTS 1, 3 and 6: a run killed, starved or begun elsewhere ends with the same bytes."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from afina.disk import TEMPORARY
from tests.training.lives import LAST, POINTS, RUNS

ROOT = Path(__file__).parents[2]


def ask(what: str, folder: Path) -> dict[str, Any]:
    """Run ``lives.py`` in a process with one thread and a hash seed of its own."""
    folder.mkdir()
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": str(random.SystemRandom().randrange(1, 2**32)),
    }
    result = subprocess.run(
        [sys.executable, "-m", "tests.training.lives", what, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of all lives."""
    return ask("all", tmp_path_factory.mktemp("lives") / "all")


def temporary(name: str) -> bool:
    return TEMPORARY.fullmatch(Path(name).name) is not None


def test_a_killed_run_ends_with_the_bytes_of_one_never_killed(lives: dict[str, Any]) -> None:
    """All files of the run, its bundle and its last checkpoints with the optimizer among them.

    Broken by drawing the pass's batches before the generator is restored.
    """
    runs = lives["killed"]["runs"]
    wanted = lives["files"].items()
    assert [run["files"].items() >= wanted for run in runs] == [True] * RUNS
    assert any(name.startswith("bundle/arrays") for name in lives["files"])


def test_each_run_was_killed_three_times_and_all_points_were_met(lives: dict[str, Any]) -> None:
    deaths = [run["deaths"] for run in lives["killed"]["runs"]]
    assert min(map(len, deaths)) >= 3
    assert {point for run in deaths for point in run} == {*POINTS, LAST}


def test_the_next_start_leaves_no_stray_checkpoint(lives: dict[str, Any]) -> None:
    """Broken by not sweeping before loading: runs that died while writing keep half a file."""
    names = [name for run in lives["killed"]["runs"] for name in run["files"]]
    assert not [name for name in names if temporary(name) and name.startswith("checkpoints/")]


def test_the_killed_training_with_whole_checkpoints_equals_the_calm_one(
    lives: dict[str, Any],
) -> None:
    controls = lives["controls"]
    assert controls["whole"] == [None, *controls["calm"]]
    assert controls["renamed"] == [None, *controls["calm"]]


@pytest.mark.parametrize("control", ["no generator", "no optimizer"])
def test_a_checkpoint_that_forgets_something_ends_elsewhere(
    lives: dict[str, Any], control: str
) -> None:
    """The controls: without this the test of killed runs would prove nothing."""
    death, end = lives["controls"][control]
    assert death is None
    assert end["last"] != lives["controls"]["calm"][0]["last"]
    assert end["prompt"] != lives["controls"]["calm"][0]["prompt"]


def test_a_checkpoint_written_in_place_is_found_damaged(lives: dict[str, Any]) -> None:
    """The control: a plain write leaves half a file under the checkpoint's own name."""
    death, end = lives["controls"]["plain"]
    assert death is None
    assert "is damaged; went on from step-00000002-" in end["notes"][0]


def test_a_full_disk_keeps_the_checkpoints_before(lives: dict[str, Any]) -> None:
    """The kernel's own limit on the size of a file; broken by writing over the file itself."""
    first, after = lives["full"]["first"], lives["full"]["after"]
    assert (first["error"], first["exit"]) == ("SpaceError", 4)
    assert "checkpoints/step-00000004-" in first["message"]
    assert "bytes" in first["message"]
    assert after == first["before"]
    assert lives["full"]["files"] == lives["files"]


@pytest.mark.parametrize("number", [1, 2])
def test_another_hash_seed_gives_the_same_bytes(
    lives: dict[str, Any], tmp_path: Path, number: int
) -> None:
    """Broken by reading the label order off a set."""
    assert ask("reference", tmp_path / "other")["files"] == lives["files"]
