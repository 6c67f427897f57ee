"""Prompt tuning from a task to a solver, on each family and with each way to answer."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.backbones.injection import Embeddings
from afina.disk import Disk
from afina.errors import AfinaError, InputError, Interrupted, ModelError
from afina.job import Job
from afina.methods import METHODS
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.reading import labelled_rows
from afina.soft.soft_solver import SoftSolver
from afina.solver import Packed, Prediction
from afina.task.example import Example
from afina.task.signature import Signature
from afina.task.task import Task
from afina.training.answering import answer_kind, prepare
from afina.training.checkpoint import Checkpoints
from afina.training.linear_probe import fit_on_dev
from afina.training.prompt_run import (
    PromptTuningSettings,
    start_vectors,
    tune_prompt,
    word_size,
)
from afina.training.scoring import dev_score
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch
from tests.tiny import FAMILIES, shared, tiny
from tests.training.tiny_task import INSTRUCTION, review_task, task_from, text_task, worded_task

LOOP = TrainSettings(epochs=2, batch=4, patience=99, checks=2)
SETTINGS = PromptTuningSettings(length=3, rate=0.3, new_tokens=3, train=LOOP)
WAYS = [("bert", "head"), ("roberta", "words"), ("modernbert", "head")]
WAYS += [("gpt2", "head"), ("llama", "words"), ("qwen3", "text"), ("gpt2", "text")]
WAYS += [("bart", "head"), ("t5", "words"), ("bart", "text"), ("t5", "text")]
KINDS = {"head": HeadAnswer, "words": LabelWords, "text": Writing}


def task_for(kind: str) -> Task:
    return {"head": review_task, "words": worded_task, "text": text_task}[kind](train=16, dev=6)


def tune(
    task: Task,
    backbone: Backbone,
    folder: Path,
    *,
    settings: PromptTuningSettings = SETTINGS,
    watch: Watch = Watch(),
    other: Packed | None = None,
) -> tuple[SoftSolver, Outcome]:
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, Disk())
    return tune_prompt(task, backbone, settings, keeper=keeper, watch=watch, other=other)


def said(solver: SoftSolver, task: Task) -> list[tuple[object, Mapping[str, object]]]:
    """Answers with their evidence, without what they took."""
    return [told(prediction) for prediction in solver([each.inputs for each in task.dev])]


def told(prediction: Prediction) -> tuple[object, Mapping[str, object]]:
    return prediction.outputs, prediction.evidence


def same_arrays(one: Packed, other: Packed) -> bool:
    assert one.arrays.keys() == other.arrays.keys()
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_every_family_is_tuned_in_every_way_it_answers(
    family: str, kind: str, tmp_path: Path
) -> None:
    """The vectors move, the weights do not, and the answers are of the task's kind.

    Broken by leaving the model's parameters asking for gradients and giving them to the optimizer.
    """
    backbone, task = tiny(family), task_for(kind)
    before = digest_of(backbone.frozen.model)
    settings = replace(SETTINGS, answer=kind)
    start = start_vectors(task, backbone, settings, None)
    solver, outcome = tune(task, backbone, tmp_path, settings=settings)
    assert digest_of(backbone.frozen.model) == before
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())
    assert isinstance(solver.answer, KINDS[kind])
    assert solver.prompt is not None
    assert solver.prompt.vectors.shape == start.shape == (3, 32)
    assert outcome.moment.step == outcome.steps == 8
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    assert not torch.allclose(saved.tensors["0.now.prompt.scaled"] * word_size(backbone), start)
    name = task.signature.target.name
    values = [values[name] for values, _ in said(solver, task)]
    wanted = {"positive", "negative"} if kind != "text" else set(values)
    assert set(values) <= wanted
    heads = 2 * 32 + 2 if kind == "head" else 0
    assert solver.parameters == 3 * 32 + heads


@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
def test_the_prompt_alone_learns(family: str, tmp_path: Path) -> None:
    """Without a head only the vectors can lower the loss; broken by a prompt without gradients."""
    train = replace(LOOP, epochs=8)
    settings = replace(SETTINGS, answer="words", train=train, rate=0.2)
    _, outcome = tune(worded_task(train=16, dev=2), tiny(family), tmp_path, settings=settings)
    losses = outcome.moment.losses
    assert sum(losses[-4:]) < 0.97 * sum(losses[:4])


@pytest.mark.parametrize(("family", "kind"), [("bert", "head"), ("llama", "words"), ("t5", "text")])
def test_the_solver_answers_with_the_best_on_dev(family: str, kind: str, tmp_path: Path) -> None:
    """Broken by making the solver before the best is loaded."""
    backbone, task = tiny(family), task_for(kind)
    solver, _ = tune(task, backbone, tmp_path, settings=replace(SETTINGS, answer=kind))
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    assert solver.prompt is not None
    best = saved.tensors["0.best.prompt.scaled"] * word_size(backbone)
    assert torch.equal(solver.prompt.vectors, best)


@pytest.mark.parametrize("seed", range(4))
def test_of_the_trained_head_and_those_fitted_anew_dev_takes_the_better(
    seed: int, tmp_path: Path
) -> None:
    """Both happen in these four runs. Broken by always, or never, taking the head fitted anew."""
    backbone, task = tiny("gpt2", seed), review_task(train=16, dev=12)
    settings = replace(SETTINGS, answer="head", probe=1e-6)
    solver, outcome = tune(task, backbone, tmp_path, settings=settings)
    rows = labelled_rows(task, solver.reader, ("positive", "negative"))
    fitted = fit_on_dev(task, backbone, solver.reader, rows, solver.prompt)
    assert dev_score(solver, task) == max(fitted.score, outcome.moment.best_score)
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    assert isinstance(solver.answer, HeadAnswer)
    trained = torch.equal(solver.answer.head.weight, saved.tensors["0.best.answer.head.weight"])
    assert trained == (fitted.score <= outcome.moment.best_score)


@pytest.mark.parametrize(("family", "kind"), [("bert", "words"), ("gpt2", "text"), ("t5", "head")])
def test_stopped_and_resumed_equals_never_stopped(family: str, kind: str, tmp_path: Path) -> None:
    task, settings = task_for(kind), replace(SETTINGS, answer=kind)
    calm, outcome = tune(task, tiny(family), tmp_path / "calm", settings=settings)
    for step in (1, 5):
        stops = iter([None] * step + [Interrupted("stopped", signal_number=15)])
        watch = Watch(stop=lambda stops=stops: next(stops))
        with pytest.raises(Interrupted):
            tune(task, tiny(family), tmp_path / "stopped", settings=settings, watch=watch)
    resumed, again = tune(task, tiny(family), tmp_path / "stopped", settings=settings)
    assert again == outcome
    assert same_arrays(resumed.pack(), calm.pack())
    assert said(resumed, task) == said(calm, task)


def test_a_seed_gives_one_prompt_and_another_seed_another(tmp_path: Path) -> None:
    """FAULTS 13: seed 0 is a seed like any other."""

    def packed(name: str, seed: int) -> Packed:
        settings = replace(SETTINGS, train=replace(LOOP, seed=seed))
        return tune(review_task(8, 4), tiny("bert"), tmp_path / name, settings=settings)[0].pack()

    zero = packed("zero", 0)
    assert same_arrays(zero, packed("again", 0))
    assert not same_arrays(zero, packed("one", 1))


def test_rates_of_0_leave_the_start_as_it_is(tmp_path: Path) -> None:
    """FAULTS 13: broken by ``rate or 0.1``."""
    backbone, task = tiny("bert"), review_task(8, 4)
    settings = replace(SETTINGS, rate=0.0, head_rate=0.0)
    tune(task, backbone, tmp_path, settings=settings)
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    for name in ("prompt.scaled", "answer.head.weight", "answer.head.bias"):
        assert torch.equal(saved.tensors[f"0.now.{name}"], saved.tensors[f"0.best.{name}"])


def test_a_prompt_starts_from_labels_text_or_vocabulary() -> None:
    """FAULTS 13: a text of "" is the task's instruction, not a text of nothing."""
    backbone, task = shared("bert"), review_task(8, 4)
    frozen = backbone.frozen

    def start(**given: str) -> torch.Tensor:
        return start_vectors(task, backbone, replace(SETTINGS, length=2, **given), None)

    words = frozen.embed(frozen.encode("positive negative"))
    assert torch.equal(start(start="labels"), words)
    assert torch.equal(start(start="text", text="good film"), embedded(backbone, "good film"))
    assert torch.equal(start(start="text"), embedded(backbone, INSTRUCTION)[:2])
    rows = {tuple(row) for row in frozen.model.get_input_embeddings().weight.tolist()}
    assert {tuple(row) for row in start(start="vocabulary").tolist()} <= rows


def embedded(backbone: Backbone, text: str) -> torch.Tensor:
    return backbone.frozen.embed(backbone.frozen.encode(text))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"length": 0}, "expected a prompt of 1 vector or more, got length 0"),
        ({"start": "noise"}, "expected start labels, text, vocabulary or a run, got 'noise'"),
    ],
)
def test_starts_that_are_none_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        start_vectors(review_task(8, 4), shared("bert"), replace(SETTINGS, **given), None)


def test_a_prompt_starts_from_another_prompt(tmp_path: Path) -> None:
    """Broken by leaving ``other`` out: the start is then sampled vocabulary."""
    backbone, task = tiny("bert"), review_task(8, 4)
    first, _ = tune(task, backbone, tmp_path / "first")
    settings = replace(SETTINGS, length=5)
    start = start_vectors(task, backbone, settings, first.pack())
    assert first.prompt is not None
    assert torch.equal(start, first.prompt.vectors[[0, 1, 2, 0, 1]])
    second, _ = tune(task, backbone, tmp_path / "second", settings=settings, other=first.pack())
    assert second.prompt is not None
    assert second.prompt.length == 5


def test_auto_is_a_head_for_encoders_words_for_those_that_write_and_text_for_free_text() -> None:
    kinds = {
        family: answer_kind(review_task(8, 4), shared(family), SETTINGS) for family in FAMILIES
    }
    assert {kinds[family] for family in ("bert", "roberta", "modernbert")} == {"head"}
    assert {kinds[family] for family in ("gpt2", "llama", "qwen3", "bart", "t5")} == {"words"}
    assert answer_kind(text_task(8, 4), shared("gpt2"), SETTINGS) == "text"
    assert answer_kind(text_task(8, 4), shared("t5"), SETTINGS) == "text"


def test_an_answer_that_is_none_is_refused() -> None:
    settings = replace(SETTINGS, answer="guess")
    with pytest.raises(InputError, match="expected answer auto, head, words or text, got 'guess'"):
        answer_kind(review_task(8, 4), shared("bert"), settings)


def test_an_encoder_that_should_write_is_refused() -> None:
    """Broken by leaving it to the first step, which then speaks of mask tokens."""
    for task, settings in ((text_task(8, 4), SETTINGS), (review_task(8, 4), text_settings())):
        with pytest.raises(ModelError, match="tiny:bert is an encoder and writes no text"):
            answer_kind(task, shared("bert"), settings)


def text_settings() -> PromptTuningSettings:
    return replace(SETTINGS, answer="text")


@pytest.mark.parametrize("kind", ["int", "float", "bool", "list[str]", "spans[PER | LOC]"])
def test_a_target_that_is_not_read_back_from_text_is_refused(kind: str) -> None:
    """Broken by writing it anyway: every answer is then a text and every score 0."""
    signature = Signature.parse(f"review -> thing: {kind}")
    task = replace(text_task(8, 4), signature=signature)
    settings = SETTINGS if kind in ("bool", "list[str]") else text_settings()
    with pytest.raises(InputError, match=r"expected a target that is a choice, .*'thing: "):
        answer_kind(task, shared("gpt2"), settings)


@pytest.mark.parametrize(
    ("target", "kinds"),
    [
        ("a: x | y", ("head", "words", "words")),
        ("a: spans[X]", ("tokens", "tokens", "tokens")),
        ("a: spans", ("spans", "text", "text")),
        ("a: float", ("number", "number", "number")),
        ("a: int", ("number", "number", "number")),
    ],
)
def test_each_target_has_an_answer_of_its_own(target: str, kinds: tuple[str, ...]) -> None:
    """Encoders, decoders and encoder-decoders; a head that is asked for suits the target."""
    signature = Signature.parse(f"review -> {target}")
    task = replace(text_task(8, 4), signature=signature)
    backbones = [shared(family) for family in ("bert", "gpt2", "t5")]
    assert tuple(answer_kind(task, each, SETTINGS) for each in backbones) == kinds
    asked = replace(SETTINGS, answer="head")
    assert {answer_kind(task, each, asked) for each in backbones} == {kinds[0]}


@pytest.mark.parametrize("kind", ["head", "words"])
def test_a_head_or_label_words_need_a_choice(kind: str) -> None:
    backbone, settings = shared("gpt2"), replace(SETTINGS, answer=kind)
    with pytest.raises(InputError, match="expected a target that is a choice of labels"):
        prepare(text_task(8, 4), backbone, settings, injection(backbone, 3))


def injection(backbone: Backbone, length: int) -> Embeddings:
    return Embeddings(torch.zeros(length, backbone.frozen.width))


def test_a_prompt_as_long_as_the_model_is_refused() -> None:
    backbone = shared("bert")
    with pytest.raises(ModelError, match="a prompt of 62 leaves no room for the text: tiny:bert"):
        prepare(review_task(8, 4), backbone, SETTINGS, injection(backbone, 62))
    reader = prepare(review_task(8, 4), backbone, SETTINGS, injection(backbone, 61)).reader
    assert reader.room == 1


@pytest.mark.parametrize(("family", "kind"), [("bert", "head"), ("gpt2", "words"), ("t5", "text")])
def test_a_long_text_is_cut_and_says_so(family: str, kind: str, tmp_path: Path) -> None:
    """Prompt, text, tail and answer fill the model to its last place; broken by one place more."""
    task = task_for(kind)
    long = Example.of({"review": "good film " * 90}, task.train[0].outputs)
    task = replace(task, train=(long, *task.train), dev=(long, *task.dev))
    solver, _ = tune(task, tiny(family), tmp_path, settings=replace(SETTINGS, answer=kind))
    prediction = solver([long.inputs])[0]
    room = solver.reader.room - len(solver.reader.tail)
    assert prediction.evidence.get("tokens_cut", 0) == max(180 - room, 0)


def test_label_words_of_many_tokens_have_room(tmp_path: Path) -> None:
    """Broken by keeping 8 places free whatever the words."""
    task = worded_task(train=8, dev=2)
    words = {"positive": "so good " * 6 + "film", "negative": "never " * 13 + "again"}
    long = Example.of({"review": "good film " * 40}, {"sentiment": "negative"})
    task = replace(task, words=words, train=(long, *task.train))
    settings = replace(SETTINGS, answer="words", train=replace(LOOP, epochs=1))
    solver, _ = tune(task, tiny("gpt2"), tmp_path, settings=settings)
    assert solver.reader.room == 64 - 3 - 14


def test_a_wanted_text_is_cut_to_what_may_be_written(tmp_path: Path) -> None:
    """Broken by training on all of it, which a short model has no places for."""
    task = text_task(8, 4)
    long = Example.of({"review": "bad"}, {"answer": "good film " * 40})
    task = replace(task, train=(long, *task.train))
    rows = prepare(task, shared("gpt2"), SETTINGS, injection(shared("gpt2"), 3)).rows
    assert len(rows[0].target) == 3
    assert rows[1].target[-1] == 2  # an answer that fits ends with the end token


def test_of_several_wanted_texts_the_first_is_learned() -> None:
    """Broken by learning to write a list's brackets."""
    signature = Signature.parse("review -> answer: spans")
    task = task_from(signature, [("bad film", ["bad"])] * 3 + [("good", ["good", "film"])], dev=2)
    backbone = shared("gpt2")
    rows = prepare(task, backbone, SETTINGS, injection(backbone, 1)).rows
    assert rows[0].target == [*backbone.frozen.encode("bad"), 2]


def test_no_answer_is_learned_as_the_end_alone() -> None:
    """Broken by learning to write [], an empty list."""
    signature = Signature.parse("review -> answer: spans")
    task = task_from(signature, [("bad film", [])] * 4, dev=2)
    backbone = shared("gpt2")
    rows = prepare(task, backbone, SETTINGS, injection(backbone, 1)).rows
    assert rows[0].target == [2]


def test_tuning_that_touches_the_model_is_not_kept(tmp_path: Path) -> None:
    """Frozen means frozen: broken by comparing the digest with itself."""
    backbone = tiny("bert")

    def meddle(point: str) -> None:
        if point == "after the last step":
            weight = next(iter(backbone.frozen.model.parameters()))
            with torch.no_grad():
                weight.view(-1)[0] += 1e-3

    with pytest.raises(AfinaError, match="the frozen weights changed while tuning"):
        METHODS["prompt-tuning"](job(backbone, tmp_path, Watch(at=meddle)))


def test_tuning_that_leaves_the_model_alone_is_kept(tmp_path: Path) -> None:
    made = METHODS["prompt-tuning"](job(tiny("bert"), tmp_path, Watch()))
    assert made.facts["steps"] == made.facts["steps_planned"] == 4


def job(backbone: Backbone, folder: Path, watch: Watch) -> Job:
    def nothing(name: str) -> Packed:
        raise AssertionError(name)

    settings = {"length": 2, "epochs": 2, "batch": 4}
    task = review_task(8, 4).for_tuning()
    return Job(task, "tiny:bert", lambda: backbone, nothing, folder, settings=settings, watch=watch)
