"""A prompt of PEFT's as a solver."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from afina.backbones.injection import Embeddings
from afina.errors import InputError, MismatchError
from afina.soft.answer import HeadAnswer, LabelWords
from afina.task.task import Task, load_task
from afina.training.import_run import ImportSettings, import_prompt
from afina.training.linear_probe import probe
from afina.tuning import import_peft, load
from tests.folders import adapter_folder, model_folder, task_folder
from tests.tiny import shared


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return load_task(task_folder(tmp_path))


def test_an_encoder_answers_by_a_head_under_the_prompt(task: Task) -> None:
    """Broken by fitting the head without the prompt."""
    backbone = shared("bert")
    solver = import_prompt(task, backbone, ImportSettings(adapter_folder()))
    assert isinstance(solver.prompt, Embeddings)
    assert solver.prompt.before_lead
    assert torch.equal(solver.prompt.vectors, backbone.frozen.embed([7, 8, 9]))
    assert isinstance(solver.answer, HeadAnswer)
    plain, _ = probe(task, backbone)
    assert isinstance(plain.answer, HeadAnswer)
    assert not torch.equal(solver.answer.head.weight, plain.answer.head.weight)


def test_a_decoder_answers_by_its_words(task: Task) -> None:
    settings = ImportSettings(adapter_folder("llama"))
    solver = import_prompt(task, shared("llama"), settings)
    assert isinstance(solver.answer, LabelWords)
    assert solver(task.dev[0].inputs and [task.dev[0].inputs])[0].outputs is not None


def test_a_folder_must_be_named_and_fit(task: Task) -> None:
    settings = ImportSettings(adapter_folder())
    with pytest.raises(InputError, match="expected folder=FOLDER"):
        import_prompt(task, shared("bert"), replace(settings, folder=""))
    with pytest.raises(InputError, match="holds one prompt"):
        import_prompt(task, shared("bert"), replace(settings, number=0))
    with pytest.raises(MismatchError, match="is for decoders"):
        import_prompt(task, shared("bert"), ImportSettings(adapter_folder("llama")))


def test_an_imported_prompt_is_kept_in_a_folder(task: Task, tmp_path: Path) -> None:
    solver = import_peft(task, adapter_folder(), model=model_folder(), run=tmp_path / "run")
    inputs = [example.inputs for example in task.dev]
    again = load(tmp_path / "run")
    assert [each.outputs for each in again(inputs)] == [each.outputs for each in solver(inputs)]
