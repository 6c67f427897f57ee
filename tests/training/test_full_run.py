"""Full fine-tuning moves every weight of its own copy, and of no other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.disk import Disk
from afina.errors import ArtefactError, InputError, Interrupted, MismatchError, ModelError
from afina.solver import Packed
from afina.task.task import Task
from afina.training.answering import prepare
from afina.training.checkpoint import Checkpoints
from afina.training.full_run import (
    FullSettings,
    WholeLearner,
    WholeSolver,
    fine_tune,
    unpack_whole,
)
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch
from tests.tiny import tiny
from tests.training.tiny_task import review_task, text_task

LOOP = TrainSettings(epochs=6, batch=4, patience=99, save_every=2, checks=2)
SETTINGS = FullSettings(rate=3e-3, head_rate=1e-2, answer="head", train=LOOP)
TASK = replace(review_task(train=16), dev=review_task(train=16).train)


def tune(
    backbone: Backbone, folder: Path, *, task: Task = TASK, watch: Watch = Watch()
) -> tuple[WholeSolver, Outcome]:
    folder.mkdir(exist_ok=True)
    return fine_tune(task, backbone, SETTINGS, keeper=Checkpoints(folder, Disk()), watch=watch)


def said(solver: WholeSolver) -> list[object]:
    return [(each.outputs, each.evidence) for each in solver([row.inputs for row in TASK.dev])]


@pytest.mark.parametrize("family", ["bert", "gpt2", "bart"])
def test_all_weights_are_trained_packed_and_unpacked(family: str, tmp_path: Path) -> None:
    """Broken by packing the weights before the best is loaded, or unpacking the head alone."""
    backbone, other = tiny(family), tiny(family)
    base = digest_of(other.frozen.model)
    solver, outcome = tune(backbone, tmp_path)
    losses = outcome.moment.losses
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    weights = sum(weight.numel() for weight in backbone.frozen.model.parameters())
    assert solver.parameters == weights + 2 * 32 + 2
    assert solver.base == base == digest_of(other.frozen.model)
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())
    again = unpack_whole(solver.pack(), other)
    assert said(again) == said(solver)
    assert digest_of(other.frozen.model) == digest_of(backbone.frozen.model)


@pytest.mark.parametrize(
    ("width", "given", "rate"),
    [(768, 0.0, 5e-5), (384, 0.0, 2e-4), (32, 0.0, 2e-3), (384, 1e-3, 1e-3)],
)
def test_the_rate_goes_with_the_width_unless_given(width: int, given: float, rate: float) -> None:
    backbone = tiny("bert")
    prepared = prepare(TASK, backbone, SETTINGS, None)
    backbone.frozen.model.config.hidden_size = width
    learner = WholeLearner(backbone, prepared.answer, replace(SETTINGS, rate=given))
    assert learner.groups()[0].learning_rate == pytest.approx(rate)


def test_the_weights_move(tmp_path: Path) -> None:
    backbone = tiny("bert")
    before = digest_of(backbone.frozen.model)
    tune(backbone, tmp_path)
    assert digest_of(backbone.frozen.model) != before
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    moved = [name for name in saved.tensors if name.startswith("0.now.model.")]
    untouched = dict(tiny("bert").frozen.model.state_dict())
    still = [
        name
        for name in moved
        if torch.equal(saved.tensors[name], untouched[name.removeprefix("0.now.model.")])
    ]
    assert len(still) < len(moved) / 4  # the masked-language head is not used


def test_stopped_and_resumed_equals_never_stopped(tmp_path: Path) -> None:
    calm, outcome = tune(tiny("bert"), tmp_path / "calm")
    stops = iter([None] * 5 + [Interrupted("stopped", signal_number=2)])
    with pytest.raises(Interrupted):
        tune(tiny("bert"), tmp_path / "stopped", watch=Watch(stop=lambda: next(stops)))
    resumed, again = tune(tiny("bert"), tmp_path / "stopped")
    assert again == outcome
    one, other = calm.pack().arrays, resumed.pack().arrays
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return tune(tiny("bert"), tmp_path_factory.mktemp("whole"))[0].pack()


def changed(packed: Packed, name: str, array: np.ndarray | None) -> Packed:
    arrays = {each: part for each, part in packed.arrays.items() if each != name}
    return replace(packed, arrays=arrays if array is None else {**arrays, name: array})


def some_weight(packed: Packed) -> str:
    return next(name for name in packed.arrays if name.startswith("model.") and "query" in name)


def test_a_whole_bundle_on_another_model_is_refused(packed: Packed) -> None:
    with pytest.raises(MismatchError, match="load the model it was tuned on"):
        unpack_whole(packed, tiny("bert", seed=1))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_refused(packed: Packed, number: float) -> None:
    """Broken by looking at the head's arrays alone."""
    name = some_weight(packed)
    array = packed.arrays[name].copy()
    array.flat[0] = number
    with pytest.raises(ArtefactError, match="NaN or infinite"):
        unpack_whole(changed(packed, name, array), tiny("bert"))


def test_a_weight_that_is_missing_or_misshapen_is_refused(packed: Packed) -> None:
    name = some_weight(packed)
    for array in (None, packed.arrays[name][:1]):
        with pytest.raises(ArtefactError, match="weights do not fit the model"):
            unpack_whole(changed(packed, name, array), tiny("bert"))


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_a_text_is_learned_by_all_weights_and_written_after_unpacking(
    family: str, tmp_path: Path
) -> None:
    """Broken by training a head, which a text has not."""
    task = text_task(train=16, dev=3)
    settings = replace(SETTINGS, answer="auto", new_tokens=8, train=replace(LOOP, epochs=12))
    solver, outcome = fine_tune(
        task, tiny(family), settings, keeper=Checkpoints(tmp_path, Disk()), watch=Watch()
    )
    losses = outcome.moment.losses
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    rows = [row.inputs for row in task.dev]
    written = [each.outputs for each in solver(rows)]
    assert all(each is not None for each in written)
    assert [each.outputs for each in unpack_whole(solver.pack(), tiny(family))(rows)] == written


def test_label_words_answer_where_the_model_writes(tmp_path: Path) -> None:
    settings = replace(SETTINGS, answer="auto")
    solver, _ = fine_tune(
        TASK, tiny("gpt2"), settings, keeper=Checkpoints(tmp_path, Disk()), watch=Watch()
    )
    assert not [name for name in solver.pack().arrays if not name.startswith("model.")]


def test_an_encoder_that_is_to_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a target that is a choice of labels"):
        tune(tiny("bert"), tmp_path, task=text_task())
    settings = replace(SETTINGS, answer="text")
    keeper = Checkpoints(tmp_path, Disk())
    with pytest.raises(ModelError, match="is an encoder and writes no text"):
        fine_tune(text_task(), tiny("bert"), settings, keeper=keeper, watch=Watch())
