"""Each kind of target has its head, its rows and its fit; packing them changes no answer."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.backbones.injection import Embeddings
from afina.disk import Disk
from afina.errors import ArtefactError, InputError
from afina.soft.answer import HeadAnswer
from afina.soft.heads import fit_probe
from afina.soft.number_answer import NumberAnswer, fit_ridge, scale_of
from afina.soft.reading import Reader, Words, labelled_rows
from afina.soft.soft_solver import SoftSolver, unpack
from afina.soft.span_answer import SpanAnswer
from afina.soft.token_answer import TokenAnswer
from afina.solver import Packed, Span
from afina.task.task import Task
from afina.training.checkpoint import Checkpoints
from afina.training.features import features_of
from afina.training.full_run import FullSettings, fine_tune, unpack_whole
from afina.training.head_fit import WINDOW, fitter, read_task, sample_of
from afina.training.linear_probe import STRENGTHS, probe
from afina.training.prompt_run import PromptTuningSettings, tune_prompt
from afina.training.scoring import dev_score
from afina.training.train import TrainSettings
from afina.training.watch import Watch
from tests.tiny import FAMILIES, shared, tiny
from tests.training.tiny_task import (
    entity_task,
    number_task,
    pair_task,
    question_task,
    review_task,
    task_from,
    text_task,
)

TASKS = {
    "tokens": entity_task,
    "spans": question_task,
    "number": partial(number_task, "float"),
    "pair": pair_task,
}
KINDS = {"tokens": TokenAnswer, "spans": SpanAnswer, "number": NumberAnswer, "pair": HeadAnswer}
LOOP = TrainSettings(epochs=2, batch=8, patience=99, checks=1)
SETTINGS = PromptTuningSettings(length=3, answer="head", train=LOOP)


def tune(
    task: Task, backbone: Backbone, folder: Path, settings: PromptTuningSettings = SETTINGS
) -> SoftSolver:
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, Disk())
    return tune_prompt(task, backbone, settings, keeper=keeper, watch=Watch())[0]


def said(solver: SoftSolver, task: Task) -> list[object]:
    return [(each.outputs, each.evidence) for each in solver([row.inputs for row in task.dev])]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", TASKS)
def test_every_family_is_tuned_for_every_target(family: str, kind: str, tmp_path: Path) -> None:
    """The prompt moves, the weights do not; packed and unpacked, each answer is the same."""
    backbone, task = tiny(family), TASKS[kind](8, 3)
    before = digest_of(backbone.frozen.model)
    solver = tune(task, backbone, tmp_path)
    assert isinstance(solver.answer, KINDS[kind])
    assert digest_of(backbone.frozen.model) == before
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    packed = solver.pack()
    kept = replace(packed, settings=json.loads(json.dumps(packed.settings)))
    again = unpack(kept, backbone)
    assert said(again, task) == said(solver, task)
    assert again.parameters == solver.parameters
    assert again.pack().settings == packed.settings


@pytest.mark.parametrize("family", ["bert", "gpt2"])
@pytest.mark.parametrize(
    "task",
    [
        entity_task(8, 1),
        question_task(9, 1, unanswerable=True),
        number_task("int", 8, 1),
        pair_task(8, 1),
    ],
    ids=["tokens", "spans", "number", "pair"],
)
def test_eight_examples_are_learned_by_heart(family: str, task: Task, tmp_path: Path) -> None:
    """Prompt and head together; broken by labels a place off."""
    task = replace(task, dev=task.train)
    train = TrainSettings(epochs=75, batch=9, patience=99, warmup=0.0)
    settings = replace(SETTINGS, length=8, rate=0.05, head_rate=0.05, train=train, probe=1e-4)
    keeper = Checkpoints(tmp_path, Disk())
    solver, outcome = tune_prompt(task, tiny(family), settings, keeper=keeper, watch=Watch())
    assert outcome.moment.losses[-1] < 0.2 * outcome.moment.losses[0]
    assert dev_score(solver, task) > 0.99


@pytest.mark.parametrize("kind", TASKS)
def test_long_inputs_are_read_in_windows_when_tuning_too(kind: str, tmp_path: Path) -> None:
    """A prompt of 44 leaves 18 places; broken by windows as long as without it."""
    task = TASKS[kind](12, 3)
    solver = tune(task, tiny("bert"), tmp_path, replace(SETTINGS, length=44))
    assert solver.reader.room == 64 - 2 - 44
    inputs = task.dev[0].inputs
    long = {name: value * 9 if name == "tokens" else value for name, value in inputs.items()}
    assert solver([long])[0].outputs is not None


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("kind", TASKS)
def test_a_probe_is_the_strength_that_does_best_on_dev(family: str, kind: str) -> None:
    """Broken by choosing on train, or by answers in the order of their length."""
    backbone, task = shared(family), TASKS[kind](24, 12)
    solver, strength = probe(task, backbone)
    assert solver.prompt is None
    _, rows = read_task(task, backbone.frozen, solver.reader.room)
    fit = fitter(task.signature.target.type, backbone, rows, None)
    scores = [dev_score(replace(solver, answer=fit(each)), task) for each in STRENGTHS]
    assert strength == STRENGTHS[scores.index(max(scores))]
    assert dev_score(solver, task) == max(scores)


@pytest.mark.parametrize("kind", TASKS)
def test_full_fine_tuning_answers_every_target(kind: str, tmp_path: Path) -> None:
    task = TASKS[kind](8, 3)
    settings = FullSettings(rate=1e-3, train=LOOP)
    keeper = Checkpoints(tmp_path, Disk())
    solver, outcome = fine_tune(task, tiny("bert"), settings, keeper=keeper, watch=Watch())
    assert outcome.moment.step == outcome.steps
    again = unpack_whole(solver.pack(), tiny("bert"))
    inputs = [row.inputs for row in task.dev]
    assert [each.outputs for each in again(inputs)] == [each.outputs for each in solver(inputs)]


def test_a_head_starts_from_the_features_under_the_prompt() -> None:
    """Broken by fitting it to the features without the prompt."""
    backbone, task = shared("bert"), review_task(train=16, dev=2)
    reader, rows = read_task(task, backbone.frozen, 60)
    assert isinstance(reader, Reader)
    assert rows == labelled_rows(task, reader, ("positive", "negative"))
    prompt = Embeddings(torch.randn(4, 32))
    answer = fitter(task.signature.target.type, backbone, rows, prompt)(0.1)
    assert isinstance(answer, HeadAnswer)
    labels = torch.tensor([row.label for row in rows])
    wanted = fit_probe(features_of(backbone, rows, prompt), labels, classes=2, strength=0.1)
    assert torch.equal(answer.head.weight, wanted.weight)
    other = fit_probe(features_of(backbone, rows, None), labels, classes=2, strength=0.1)
    assert not torch.equal(answer.head.weight, other.weight)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_a_head_for_tags_is_a_logistic_regression_on_the_words_own_states(family: str) -> None:
    """Word by word in the order of the rows that were sampled; broken by tags of another row."""
    backbone, task = shared(family), entity_task(12, 2)
    _, rows = read_task(task, backbone.frozen, 60)
    answer = fitter(task.signature.target.type, backbone, rows, None)(1.0)
    assert isinstance(answer, TokenAnswer)
    states, tags = [], []
    for row in rows:
        assert isinstance(row.marks, Words)
        states.append(backbone.states([row.tokens], [None])[0, row.marks.places])
        tags += row.marks.tags
    wanted = fit_probe(torch.cat(states).detach(), torch.tensor(tags), classes=5, strength=1.0)
    torch.testing.assert_close(answer.head.weight, wanted.weight, atol=2e-3, rtol=1e-2)


def test_a_head_for_numbers_is_a_ridge_regression_on_the_features() -> None:
    backbone, task = shared("bert"), number_task("int", 12, 2)
    _, rows = read_task(task, backbone.frozen, 60)
    answer = fitter(task.signature.target.type, backbone, rows, None)(0.1)
    assert isinstance(answer, NumberAnswer)
    scale = scale_of(rows, whole=True)
    wanted = fit_ridge(features_of(backbone, rows, None), rows, scale, strength=0.1)
    assert torch.equal(answer.head.weight, wanted.weight)
    assert answer.scale == scale


def test_a_sample_has_every_tag() -> None:
    """Of a hundred rows one alone holds two of them; broken by stopping when there is enough."""
    signature = entity_task(2, 1).signature
    plain = [(["good", "film", "bad", "plot"], [Span(0, 1, "GOOD")])] * 100
    rare = [(["good", "film"], [Span(0, 2, "BAD")])]
    task = task_from(signature, [*plain, *rare, *plain[:2]], dev=1, metric="entity-f1")
    _, rows = read_task(task, shared("bert").frozen, 60)
    chosen = sample_of(rows, 40)
    assert 10 <= len(chosen) <= 12
    tags = {tag for row in chosen if isinstance(row.marks, Words) for tag in row.marks.tags}
    assert tags == {0, 1, 3, 4}
    assert chosen == sample_of(rows, 40)


@pytest.mark.parametrize("kind", ["tokens", "spans"])
def test_windows_are_no_longer_than_they_need_to_be(kind: str) -> None:
    """A model of 8,192 places reads a context in short windows all the same."""
    reader, _ = read_task(TASKS[kind](4, 2), shared("t5").frozen, 8192)
    assert reader.room == WINDOW


def test_a_target_that_no_head_answers_is_refused() -> None:
    with pytest.raises(InputError, match="expected a target that is a choice of labels"):
        read_task(text_task(), shared("bert").frozen, 60)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("tokens", ["reading", "labels", "room", "signature"]),
        ("spans", ["context", "pieces", "unanswerable", "room"]),
        ("number", ["mean", "deviation", "whole"]),
    ],
)
def test_a_bundle_that_lacks_or_garbles_a_field_is_refused(
    kind: str, names: list[str], tmp_path: Path
) -> None:
    packed = tune(TASKS[kind](6, 2), tiny("bert"), tmp_path).pack()
    for name in names:
        less = {each: value for each, value in packed.settings.items() if each != name}
        for settings in (less, {**less, name: {"a": 1}}, {**less, name: [None]}):
            with pytest.raises(ArtefactError):
                unpack(replace(packed, settings=settings), shared("bert"))
    for name in (each for each in packed.arrays if each.startswith("head.")):
        arrays = {**packed.arrays, name: packed.arrays[name][..., :1, None]}
        with pytest.raises(ArtefactError, match=name):
            unpack(replace(packed, arrays=arrays), shared("bert"))


def test_a_bundle_from_before_readings_had_names_is_read_as_text(tmp_path: Path) -> None:
    task = review_task(6, 2)
    solver = tune(task, tiny("bert"), tmp_path)
    packed = solver.pack()
    settings = {name: value for name, value in packed.settings.items() if name != "reading"}
    old = Packed(packed.kind, settings, packed.arrays)
    assert said(unpack(old, shared("bert")), task) == said(solver, task)
