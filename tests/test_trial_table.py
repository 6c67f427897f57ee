"""The tree of trials: parents above children, the best marked, and what they are worth."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from afina.errors import ArtefactError, InputError
from afina.store.run import Run
from afina.trial_table import read_trials, trial_tree


def trial(number: int, parent: int | None, score: float | None, how: str) -> dict[str, object]:
    bounds = {"low": 0.1, "high": 0.9, "n": 10, "missing": number, "calls": 10 * number}
    return {"number": number, "parent": parent, "score": score, "how": how, **bounds}


FOUND = {
    "trials": [
        trial(0, None, 0.5, "as given"),
        trial(1, 0, 0.6, "examples"),
        trial(2, 1, None, "instruction"),
    ],
    "best": 1,
    "calls": 42,
    "ended": "calls",
    "optimism": 0.03,
    "expected": 0.57,
    "baselines": [{"name": "zero-shot", "score": 0.5, "low": 0.4, "high": 0.6, "n": 20}],
    "notes": ["something odd"],
}


def drawn() -> list[str]:
    out = io.StringIO()
    Console(file=out, width=120).print(trial_tree(FOUND))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_children_stand_under_the_trial_they_were_made_from() -> None:
    assert drawn() == [
        "0  0.5000 [0.1000, 0.9000], n = 10  as given  after 0 calls",
        "└── 1  0.6000 [0.1000, 0.9000], n = 10, 1 missing  examples  after 10 calls",
        "    └── 2  not scored  instruction",
        "the best is 1; 42 calls, its calls were made",
        "the best of so many is flattered by about 0.0300: expect 0.5700 on other rows",
        "beside it on dev: zero-shot 0.5000 [0.4000, 0.6000], n = 20",
        "something odd",
    ]


def run(folder: Path) -> Run:
    return Run("r", "t", "d", "racing", "m", 0, settings={}, folder=folder)


def test_trials_that_are_not_there_or_damaged_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got 'r', racing; it has no trials"):
        read_trials(run(tmp_path))
    (tmp_path / "trials.json").write_text('{"trials": ')
    with pytest.raises(ArtefactError, match=r"trials.json is damaged.*run it again"):
        read_trials(run(tmp_path))
