"""The decoder that ships does what a prompt says, and not without it."""

from dataclasses import replace

import pytest

from afina.backbones.backbone import load_backbone
from afina.backbones.local_lm import LocalLM
from recipes.trials import Trial, Way, from_edit, from_kinds, report

NAME = "builtin:tiny-decoder"


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    return LocalLM(load_backbone(NAME))


def score(lm: LocalLM, trial: Trial, instruction: str, shots: int = 0) -> float:
    found = report(trial, Way("", instruction, shots), lm, NAME, 0).score
    assert found is not None
    return found


@pytest.fixture
def few() -> Trial:
    trial = from_edit("last word", seed=5)
    return replace(trial, rows=trial.rows[:40])


def test_it_does_what_the_instruction_says(lm: LocalLM, few: Trial) -> None:
    assert score(lm, few, few.signature.instruction) >= 0.9
    assert score(lm, few, few.wrong) <= 0.2
    assert score(lm, few, "") <= 0.2


def test_it_takes_from_examples_what_no_instruction_says(lm: LocalLM) -> None:
    trial = from_edit("first letter", seed=5)
    trial = replace(trial, rows=trial.rows[:40])
    assert score(lm, trial, "") <= 0.2
    assert score(lm, trial, "", shots=16) >= 0.5


def test_it_does_an_edit_that_it_never_read(lm: LocalLM) -> None:
    trial = from_edit("second to last word", seed=5)
    trial = replace(trial, rows=trial.rows[:100])
    assert score(lm, trial, trial.signature.instruction) >= 0.15
    assert score(lm, trial, "") <= 0.05


def test_it_sorts_kinds_that_it_never_read_by_examples(lm: LocalLM) -> None:
    trial = from_kinds("metal", "instrument", seed=1)
    assert score(lm, trial, "", shots=8) >= 0.6
