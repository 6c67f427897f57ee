"""Multitask prompt tuning from source tasks to a target's solver, on each kind of family."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.backbones.injection import Embeddings
from afina.disk import Disk
from afina.errors import InputError, Interrupted, MismatchError
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.lesson import Weights
from afina.soft.multitask_learner import Teaching
from afina.soft.saying import Part, say
from afina.soft.soft_solver import SoftSolver, unpack
from afina.solver import Packed, Value
from afina.task.signature import Signature
from afina.task.task import Task
from afina.training.checkpoint import Checkpoints
from afina.training.mixture import mixed
from afina.training.multitask_run import (
    MultitaskSettings,
    Shared,
    adapt,
    adapt_group,
    check_sources,
    lessons_of,
    shared_in,
    source_start,
    train_shared,
)
from afina.training.prompt_run import tune_prompt, word_size
from afina.training.scoring import dev_score
from afina.training.task_group import build
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch
from tests.tiny import shared, tiny
from tests.training.tiny_task import (
    INSTRUCTION,
    entity_task,
    number_task,
    question_task,
    reviews,
    task_from,
)

LOOP = TrainSettings(epochs=2, batch=6, patience=99, checks=2, save_every=2)
SETTINGS = MultitaskSettings(length=3, new_tokens=3, teacher_epochs=1, source_epochs=2, train=LOOP)
WAYS = [("bert", "head"), ("roberta", "words"), ("llama", "words"), ("gpt2", "text")]
WAYS += [("gpt2", "head"), ("t5", "words"), ("t5", "text"), ("bart", "text")]
KINDS = {"head": HeadAnswer, "words": LabelWords, "text": Writing}
CHOICE = Signature.parse("review -> sentiment: positive | negative", INSTRUCTION)
TEXT = Signature.parse("review -> answer", INSTRUCTION)


def task(kind: str, seed: int, *, train: int = 12, dev: int = 6) -> Task:
    """A tiny task of its own data."""
    worded = {"text": ("good film", "bad")}.get(kind, ("positive", "negative"))
    rows: list[tuple[Value, Value]] = [
        (text, worded[0] if good else worded[1]) for text, good in reviews(train + dev + 1, seed)
    ]
    signature, metric = (TEXT, "exact-match") if kind == "text" else (CHOICE, "accuracy")
    made = task_from(signature, rows, dev=dev, metric=metric)
    words = {"positive": "great", "negative": "awful"} if kind == "words" else {}
    return replace(made, name=f"tiny-{seed}", words=words).for_tuning()


def sources(kind: str) -> list[Task]:
    return [task(kind, 11), task(kind, 12, train=18)]


def keepers(folder: Path) -> "Keepers":
    return Keepers(folder)


class Keepers:
    """A folder a stage; counts nothing, forgets nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, stage: str) -> Checkpoints:
        place = self.folder / stage
        place.mkdir(parents=True, exist_ok=True)
        return Checkpoints(place, Disk())


def run(
    folder: Path,
    backbone: Backbone,
    kind: str,
    *,
    settings: MultitaskSettings = SETTINGS,
    watch: Watch = Watch(),
) -> tuple[SoftSolver, Shared, Outcome]:
    """Sources, then the target."""
    settings, own = replace(settings, answer=kind), keepers(folder)
    found = train_shared(sources(kind), backbone, settings, keepers=own, watch=watch)
    solver, outcome = adapt(
        task(kind, 13), backbone, found, settings, keeper=own("target"), watch=watch
    )
    return solver, found, outcome


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def same_arrays(one: Packed, other: Packed) -> bool:
    assert one.arrays.keys() == other.arrays.keys()
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_every_kind_of_family_is_tuned_in_every_way_it_answers(
    family: str, kind: str, tmp_path: Path
) -> None:
    """Shared vectors and own parts move, the weights do not, and the solver is as any other's.

    Broken by leaving a target's part out of the folded prompt.
    """
    backbone = tiny(family)
    before = digest_of(backbone.frozen.model)
    solver, found, outcome = run(tmp_path, backbone, kind)
    assert digest_of(backbone.frozen.model) == before
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())
    start = source_start(backbone, SETTINGS)
    assert found.vectors.shape == start.shape == (3, 32)
    learned = Checkpoints(tmp_path / "sources", Disk()).load()
    assert learned is not None
    assert not torch.allclose(learned.tensors["0.now.prompt.scaled"] * word_size(backbone), start)
    assert outcome.moment.step == outcome.steps == 4
    assert isinstance(solver.answer, KINDS[kind])
    heads = 2 * 32 + 2 if kind == "head" else 0
    assert solver.parameters == 3 * 32 + heads
    assert isinstance(solver.prompt, Embeddings)
    saved = Checkpoints(tmp_path / "target", Disk()).load()
    assert saved is not None
    last = {name.split("now.")[1]: part for name, part in saved.tensors.items() if "now." in name}
    assert {"prompt.scaled", "prompt.rows.0", "prompt.columns.0"} <= last.keys()
    assert not torch.allclose(last["prompt.rows.0"], torch.ones(3))
    assert not torch.allclose(last["prompt.columns.0"], torch.ones(32))
    best = {name.split("best.")[1]: part for name, part in saved.tensors.items() if "best." in name}
    part = torch.outer(best["prompt.rows.0"], best["prompt.columns.0"])
    wanted = best["prompt.scaled"] * part * word_size(backbone)
    torch.testing.assert_close(solver.prompt.vectors, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("family", "kind"), [("bert", "head"), ("llama", "words"), ("t5", "text")])
def test_packing_changes_no_answer_and_keeps_the_shared_prompt(
    family: str, kind: str, tmp_path: Path
) -> None:
    """Broken by packing the target's prompt as the shared one."""
    backbone = tiny(family)
    solver, found, _ = run(tmp_path, backbone, kind)
    packed = solver.pack()
    again = unpack(packed, backbone)
    inputs = [each.inputs for each in task(kind, 13).dev]
    for one, other in zip(solver(inputs), again(inputs), strict=True):
        assert (one.outputs, one.evidence) == (other.outputs, other.evidence)
    assert same_arrays(again.pack(), packed)
    assert torch.equal(shared_in(packed, backbone).vectors, found.vectors)
    one = adapt(
        task(kind, 14),
        backbone,
        shared_in(packed, backbone),
        replace(SETTINGS, answer=kind),
        keeper=keepers(tmp_path)("second"),
        watch=Watch(),
    )[0]
    two = adapt(
        task(kind, 14),
        backbone,
        found,
        replace(SETTINGS, answer=kind),
        keeper=keepers(tmp_path)("third"),
        watch=Watch(),
    )[0]
    assert same_arrays(one.pack(), two.pack())


def test_what_is_shared_is_not_what_the_target_made_of_it(tmp_path: Path) -> None:
    """With train as dev, so that the best is late. Broken by packing the target's own prompt."""
    backbone, own = tiny("llama"), task("head", 13, train=16)
    settings = replace(SETTINGS, answer="head", shared_rate=1.0, head_rate=0.05)
    settings = replace(settings, train=replace(LOOP, epochs=6))
    start = Shared(source_start(backbone, settings))
    solver, outcome = adapt(
        replace(own, dev=own.train),
        backbone,
        start,
        settings,
        keeper=keepers(tmp_path)("target"),
        watch=Watch(),
    )
    assert outcome.moment.best_step > 0
    packed = solver.pack()
    assert np.array_equal(packed.arrays["shared"], start.vectors.numpy())
    assert not np.allclose(packed.arrays["shared"], packed.arrays["prompt"])


@pytest.mark.parametrize(("family", "kind"), [("bert", "head"), ("llama", "words"), ("t5", "text")])
def test_the_prompt_learns_its_sources(family: str, kind: str, tmp_path: Path) -> None:
    """Broken by a shared prompt without gradients."""
    settings = replace(SETTINGS, source_epochs=10, score_weight=0.5, feature_weight=0.5)
    settings = replace(settings, answer=kind, shared_rate=0.2)
    found = train_shared(
        sources(kind), tiny(family), settings, keepers=keepers(tmp_path), watch=Watch()
    )
    losses = found.facts["source_curve"]["losses"]
    assert sum(losses[-6:]) < 0.97 * sum(losses[:6])


class Killed(BaseException):
    """A death: nothing is told, nothing more is kept."""


@pytest.mark.parametrize(("family", "kind"), [("bert", "head"), ("gpt2", "words"), ("t5", "text")])
def test_killed_at_any_point_and_resumed_equals_never_killed(
    family: str, kind: str, tmp_path: Path
) -> None:
    """Every file of every stage, to the byte. Broken by drawing repeated rows without the seed, and
    by keeping a teacher's score rounded."""
    backbone, points = tiny(family), 0

    def count(point: str) -> None:
        nonlocal points
        points += 1

    calm, found, outcome = run(tmp_path / "calm", backbone, kind, watch=Watch(at=count))
    assert points > 30
    for first in range(3, points, points // 5):
        folder, lives = tmp_path / f"killed-{first}", 0

        def die(point: str, met: list[int], last: int) -> None:
            met.append(1)
            if len(met) == last:
                raise Killed

        for last in (first, 11):
            met: list[int] = []
            watch = Watch(at=lambda point, met=met, last=last: die(point, met, last))
            try:
                run(folder, backbone, kind, watch=watch)
            except Killed:
                lives += 1
        again, same, after = run(folder, backbone, kind)
        assert lives >= 1
        assert same_arrays(again.pack(), calm.pack())
        assert same.facts == found.facts
        assert after == outcome
        assert files(folder) == files(tmp_path / "calm")


def test_a_stopped_run_redoes_no_finished_part(tmp_path: Path) -> None:
    """Broken by training the teachers before looking for what they left."""
    backbone = tiny("bert")
    notes: list[str] = []
    stops = iter([None] * 12 + [Interrupted("stopped", signal_number=15)])
    watch = Watch(stop=lambda: next(stops), note=notes.append)
    with pytest.raises(Interrupted):
        run(tmp_path, backbone, "head", watch=watch)
    assert notes == [
        "the teacher of tiny-11",
        "the teacher of tiny-12",
        "the prompt that tiny-11, tiny-12 share",
    ]
    run(tmp_path, backbone, "head", watch=Watch(note=notes.append))
    assert notes[3:] == ["the prompt that tiny-11, tiny-12 share"]
    run(tmp_path, backbone, "head", watch=Watch(note=notes.append))
    assert notes[4:] == []


def test_a_seed_gives_one_prompt_and_another_seed_another(tmp_path: Path) -> None:
    def packed(name: str, seed: int) -> Packed:
        settings = replace(SETTINGS, train=replace(LOOP, seed=seed))
        return run(tmp_path / name, tiny("bert"), "head", settings=settings)[0].pack()

    zero = packed("zero", 0)
    assert same_arrays(zero, packed("again", 0))
    assert not same_arrays(zero, packed("one", 1))


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_lessons_are_what_the_teacher_says_of_each_row(
    family: str, kind: str, tmp_path: Path
) -> None:
    """Row by row, as the rows stand. Broken by leaving the rows in the order of their lengths."""
    backbone, own = tiny(family), task(kind, 11)
    settings = replace(SETTINGS, answer=kind)
    teacher, _ = tune_prompt(
        own, backbone, settings.teacher(), keeper=keepers(tmp_path)("t"), watch=Watch()
    )
    rows = (
        build([own], backbone, source_start(backbone, settings), settings, settings.rates)
        .prepared[0]
        .rows
    )
    whole = lessons_of(teacher, rows, features=True)
    for place, row in enumerate(rows):
        part = Part(teacher.answer, [row], teacher.prompt)
        with torch.no_grad():
            alone = say(backbone, [part], features=True)[0].lesson
        width = alone.scores.shape[1]
        torch.testing.assert_close(
            whole.at([place]).scores[:, :width], alone.scores, atol=2e-5, rtol=0
        )
        assert whole.features is not None
        assert alone.features is not None
        torch.testing.assert_close(whole.features[[place]], alone.features, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_a_student_that_is_its_teacher_learns_the_task_alone(
    family: str, kind: str, tmp_path: Path
) -> None:
    """The teachers' terms are 0 there and positive elsewhere."""
    backbone, own = tiny(family), sources(kind)
    settings = replace(SETTINGS, answer=kind)
    group = build(own, backbone, source_start(backbone, settings), settings, settings.rates)
    rows = mixed([each.rows for each in group.prepared], 2.0, seed=0)
    plain = group.learner.loss(rows).item()
    lessons = [
        lessons_of(group.solver(number), prepared.rows, features=True)
        for number, prepared in enumerate(group.prepared)
    ]
    group.learner.teaching = Teaching(lessons, Weights(9.0, 9.0))
    assert group.learner.loss(rows).item() == pytest.approx(plain, abs=2e-5)
    group.learner.teaching = Teaching(lessons, Weights(0.0, 0.0))
    with torch.no_grad():
        group.learner.prompt.columns[1].mul_(-5.0)
    moved = group.learner.loss(rows).item()
    for weights in (Weights(9.0, 0.0), Weights(0.0, 9.0)):
        group.learner.teaching = Teaching(lessons, weights)
        assert group.learner.loss(rows).item() > moved + 1e-4


def test_a_group_of_targets_gives_a_solver_each(tmp_path: Path) -> None:
    """One shared prompt, a part and a head of its own each, and the best of their mean score."""
    backbone = tiny("bert")
    targets = [task("head", 13), task("head", 14, train=20), task("head", 15)]
    solvers, outcome = adapt_group(
        targets,
        backbone,
        Shared(source_start(backbone, SETTINGS)),
        SETTINGS,
        keeper=keepers(tmp_path)("group"),
        watch=Watch(),
    )
    saved = Checkpoints(tmp_path / "group", Disk()).load()
    assert saved is not None
    best = {name.split("best.")[1]: part for name, part in saved.tensors.items() if "best." in name}
    for number, solver in enumerate(solvers):
        part = torch.outer(best[f"prompt.rows.{number}"], best[f"prompt.columns.{number}"])
        assert isinstance(solver.prompt, Embeddings)
        wanted = best["prompt.scaled"] * part * word_size(backbone)
        torch.testing.assert_close(solver.prompt.vectors, wanted, atol=1e-6, rtol=0)
    scores = [dev_score(solver, each) for solver, each in zip(solvers, targets, strict=True)]
    assert sum(scores) / 3 >= outcome.moment.best_score - 1e-9


def test_targets_of_any_kind_start_from_a_shared_prompt(tmp_path: Path) -> None:
    """Tags, spans and numbers beside labels: only sources need probabilities to teach.

    Broken by one pass for answers that gather in other ways.
    """
    backbone = tiny("bert")
    targets = [
        task("head", 13),
        entity_task(12, 4),
        question_task(12, 4),
        number_task("float", 12, 4),
    ]
    solvers, outcome = adapt_group(
        targets,
        backbone,
        Shared(source_start(backbone, SETTINGS)),
        SETTINGS,
        keeper=keepers(tmp_path)("group"),
        watch=Watch(),
    )
    assert len(outcome.moment.losses) == outcome.steps
    for solver, each in zip(solvers, targets, strict=True):
        again = unpack(solver.pack(), backbone)
        inputs = [example.inputs for example in each.dev]
        assert [said.outputs for said in solver(inputs)] == [said.outputs for said in again(inputs)]


def test_a_target_alone_with_parts_that_stay_is_prompt_tuning(tmp_path: Path) -> None:
    """Rates of 0 for its part: the same bytes as plain prompt tuning from the same vectors.

    Broken by an order of rows of its own.
    """
    backbone, own = tiny("llama"), task("words", 13)
    settings = replace(SETTINGS, rate=0.0, shared_rate=0.3, answer="words", teacher_epochs=2)
    start = Shared(source_start(backbone, settings))
    solver, outcome = adapt(
        own, backbone, start, settings, keeper=keepers(tmp_path)("a"), watch=Watch()
    )
    plain, same = tune_prompt(
        own, backbone, settings.teacher(), keeper=keepers(tmp_path)("b"), watch=Watch()
    )
    assert outcome.moment.scores == same.moment.scores
    np.testing.assert_allclose(
        solver.pack().arrays["prompt"], plain.pack().arrays["prompt"], atol=1e-4
    )


# refusals


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"expected tasks to train the shared prompt on, or a run to start from; set source="),
        ([11, 12, 11], "got 'tiny-11' as source 3 and as source 1; leave one out"),
        ([11, 13], "got 'tiny-13' as source 2 and as the target; leave one out"),
    ],
)
def test_sources_that_are_none_are_refused(given: Sequence[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_sources([task("head", seed) for seed in given], task("head", 13))


def test_a_source_without_probabilities_to_learn_is_refused(tmp_path: Path) -> None:
    """Broken by leaving it to the first step, after its teacher was trained."""
    rows: list[tuple[Value, Value]] = [(text, float(good)) for text, good in reviews(19, 12)]
    number = task_from(Signature.parse("review -> stars: float"), rows, dev=6, metric="pearson")
    with pytest.raises(InputError, match="stars: float"):
        train_shared(
            [task("head", 11), number],
            tiny("bert"),
            SETTINGS,
            keepers=keepers(tmp_path),
            watch=Watch(),
        )
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("left", [["shared", "teacher-0-done"], ["teacher-0-done"]])
def test_a_run_goes_on_with_the_data_it_began_with(left: list[str], tmp_path: Path) -> None:
    """Broken by looking at the names alone."""
    own, backbone = keepers(tmp_path), tiny("bert")
    train_shared(sources("head"), backbone, SETTINGS, keepers=own, watch=Watch())
    for stage in tmp_path.iterdir():
        if stage.name not in left:
            shutil.rmtree(stage)
    changed = [replace(task("head", 14), name="tiny-11"), sources("head")[1]]
    with pytest.raises(MismatchError, match="the run was made with sources whose data is"):
        train_shared(changed, backbone, SETTINGS, keepers=own, watch=Watch())


def test_a_bundle_without_a_shared_prompt_is_refused(tmp_path: Path) -> None:
    plain, _ = tune_prompt(
        task("head", 11),
        tiny("bert"),
        SETTINGS.teacher(),
        keeper=keepers(tmp_path)("p"),
        watch=Watch(),
    )
    with pytest.raises(InputError, match="got a soft bundle without a shared prompt; name one"):
        shared_in(plain.pack(), shared("bert"))


def test_a_shared_prompt_of_another_model_or_length_is_refused(tmp_path: Path) -> None:
    solver, found, _ = run(tmp_path, tiny("bert"), "head")
    with pytest.raises(MismatchError, match="start from a prompt of the same model"):
        shared_in(solver.pack(), tiny("bert", 1))
    settings = replace(SETTINGS, length=4)
    with pytest.raises(InputError, match=r"length and width \(4, 32\), got \(3, 32\); set length"):
        adapt(
            task("head", 14),
            tiny("bert"),
            found,
            settings,
            keeper=keepers(tmp_path)("x"),
            watch=Watch(),
        )
    with pytest.raises(InputError, match="expected one target or more"):
        adapt_group([], tiny("bert"), found, SETTINGS, keeper=keepers(tmp_path)("y"), watch=Watch())
    with pytest.raises(InputError, match="1 vector or more, got length 0"):
        source_start(tiny("bert"), replace(SETTINGS, length=0))
