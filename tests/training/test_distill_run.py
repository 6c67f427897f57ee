"""A written prompt as vectors, learned from what the model says under it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from afina.backbones.backbone import Backbone
from afina.backbones.local_lm import LocalLM
from afina.disk import Disk
from afina.errors import InputError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.hard.template import Template
from afina.lm.scripted import ScriptedLM
from afina.soft.soft_solver import SoftSolver, unpack
from afina.task.example import Example
from afina.task.signature import Signature
from afina.task.task import Task
from afina.training.checkpoint import Checkpoints
from afina.training.distill_run import (
    DistillSettings,
    check_teacher,
    taught_by,
    tokens_saved,
    tune_distilled,
)
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch
from tests.tiny import shared
from tests.training.tiny_task import text_task, worded_task

LOOP = TrainSettings(epochs=16, batch=8, patience=99, checks=1)
SETTINGS = DistillSettings(length=4, new_tokens=4, train=LOOP)
CALLS = CallSettings(max_tokens=4)
WRITERS = ["gpt2", "llama", "t5", "bart"]


def teacher_of(task: Task, backbone: Backbone, *, shots: int = 2) -> PromptSolver:
    prompt = Prompt.of(task.signature, task.train[:shots])
    return PromptSolver(prompt, LocalLM(backbone), "tiny", task.words, CALLS)


def distil(
    task: Task, backbone: Backbone, folder: Path, settings: DistillSettings = SETTINGS
) -> tuple[SoftSolver, Outcome]:
    folder.mkdir(exist_ok=True)
    taught = taught_by(teacher_of(task, backbone), task, backbone, most=settings.new_tokens)
    keeper = Checkpoints(folder, Disk())
    return tune_distilled(taught, backbone, settings, keeper=keeper, watch=Watch())


@pytest.mark.parametrize("prompt", ["prefix", "vectors"])
@pytest.mark.parametrize("family", WRITERS)
def test_the_model_comes_to_say_what_it_says_under_the_teacher(
    family: str, prompt: str, tmp_path: Path
) -> None:
    backbone, task = shared(family), worded_task(train=16, dev=4)
    solver, outcome = distil(task, backbone, tmp_path, replace(SETTINGS, prompt=prompt))
    losses = outcome.moment.losses
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])
    rows = [each.inputs for each in task.dev]
    again = unpack(solver.pack(), backbone)(rows)
    assert [each.outputs for each in again] == [each.outputs for each in solver(rows)]


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_texts_are_imitated_too(family: str, tmp_path: Path) -> None:
    backbone, task = shared(family), text_task(train=16, dev=4)
    solver, outcome = distil(task, backbone, tmp_path)
    losses = outcome.moment.losses
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])
    assert all(each.outputs for each in solver([row.inputs for row in task.dev]))


def test_the_answers_wanted_are_not_read(tmp_path: Path) -> None:
    """Broken by training or choosing by the examples' own labels."""
    backbone, task = shared("gpt2"), worded_task(train=16, dev=4)
    teacher = teacher_of(task, backbone, shots=0)
    name, labels = task.signature.target.name, ("positive", "negative")

    def turned(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        other = dict(zip(labels, reversed(labels), strict=True))
        return tuple(
            replace(each, outputs={name: other.get(str(each.outputs[name]), labels[0])})
            for each in examples
        )

    other = replace(task, train=turned(task.train), dev=turned(task.dev))
    arrays = []
    for number, each in enumerate((task, other)):
        folder = tmp_path / str(number)
        folder.mkdir()
        taught = taught_by(teacher, each, backbone, most=4)
        keeper = Checkpoints(folder, Disk())
        solver, _ = tune_distilled(taught, backbone, SETTINGS, keeper=keeper, watch=Watch())
        arrays.append(solver.pack().arrays)
    assert all(np.array_equal(arrays[0][key], arrays[1][key]) for key in arrays[0])


def test_tokens_saved_are_those_of_the_opening(tmp_path: Path) -> None:
    backbone, task = shared("gpt2"), worded_task(train=16, dev=4)
    teacher = teacher_of(task, backbone, shots=3)
    taught = taught_by(teacher, task, backbone, most=4)
    keeper = Checkpoints(tmp_path, Disk())
    solver, _ = tune_distilled(taught, backbone, SETTINGS, keeper=keeper, watch=Watch())
    facts = tokens_saved(solver, taught)
    before, now = facts["teacher_tokens_a_call"], facts["tokens_a_call"]
    assert isinstance(before, float)
    assert isinstance(now, float)
    assert before > now + 10
    assert facts["tokens_saved_a_call"] == pytest.approx(before - now, abs=0.11)


def test_a_teacher_with_steps_between_is_refused() -> None:
    prompt = Prompt.of(Signature.parse("question -> reasoning, answer", "Think first."))
    solver = PromptSolver(prompt, ScriptedLM([]), "scripted")
    with pytest.raises(InputError, match="writes reasoning, answer; distil a prompt without"):
        check_teacher(solver)


def test_a_teacher_that_says_nothing_that_can_be_read_is_refused() -> None:
    backbone, task = shared("gpt2"), worded_task(train=4, dev=2)
    prompt = Prompt(task.signature, Template("Tell."), Template("{{ review }}"))
    silent = PromptSolver(prompt, ScriptedLM(lambda request: "?", name="silent"), "scripted")
    with pytest.raises(InputError, match="expected answers of the teacher to imitate, got none"):
        taught_by(silent, task, backbone, most=4)


def test_a_prompt_of_another_kind_is_refused(tmp_path: Path) -> None:
    backbone, task = shared("gpt2"), worded_task(train=8, dev=2)
    taught = taught_by(teacher_of(task, backbone), task, backbone, most=4)
    with pytest.raises(InputError, match="expected prompt prefix or vectors, got 'deep'"):
        tune_distilled(
            taught,
            backbone,
            replace(SETTINGS, prompt="deep"),
            keeper=Checkpoints(tmp_path, Disk()),
            watch=Watch(),
        )
