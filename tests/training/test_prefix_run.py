"""Prefix tuning from a task to a solver, on each family that takes keys and values."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.backbones.injection import KeyValues
from afina.backbones.sites import Place
from afina.disk import Disk
from afina.errors import InputError, Interrupted, MismatchError, ModelError
from afina.soft.prefix_init import from_words
from afina.soft.prefix_tuning import FreeChange, NetworkChange
from afina.soft.soft_solver import SoftSolver, unpack
from afina.solver import Packed
from afina.task.task import Task
from afina.training.checkpoint import Checkpoints
from afina.training.prefix_run import P_TUNING_V2, PrefixSettings, build_prefix, make_prefix
from afina.training.soft_run import tune_soft
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch
from tests.tiny import DECODERS, ENCODER_DECODERS, ENCODERS, FRONTED, OWN_ATTENTION, shared, tiny
from tests.training.tiny_task import INSTRUCTION, review_task, text_task, worded_task

LOOP = TrainSettings(epochs=2, batch=4, patience=99, checks=2)
SETTINGS = PrefixSettings(length=3, hidden=8, new_tokens=3, train=LOOP)
NETWORKS = ["none", "mlp"]
WAYS = [(family, "head") for family in ENCODERS if family not in OWN_ATTENTION]
WAYS += [(family, kind) for family in DECODERS for kind in ("head", "words", "text")]
WAYS += [(family, kind) for family in ENCODER_DECODERS for kind in ("head", "words", "text")]
WAYS += [("bert", "words"), ("albert", "words")]


def task_for(kind: str) -> Task:
    return {"head": review_task, "words": worded_task, "text": text_task}[kind](train=16, dev=4)


def tune(
    task: Task,
    backbone: Backbone,
    folder: Path,
    *,
    settings: PrefixSettings = SETTINGS,
    watch: Watch = Watch(),
    other: Packed | None = None,
) -> tuple[SoftSolver, Outcome]:
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, Disk())
    built = build_prefix(task, backbone, settings, other)
    return tune_soft(task, built, keeper=keeper, watch=watch)


def said(solver: SoftSolver, task: Task) -> list[tuple[object, Mapping[str, object]]]:
    """Answers with their evidence, without what they took."""
    predictions = solver([each.inputs for each in task.dev])
    return [(prediction.outputs, prediction.evidence) for prediction in predictions]


def prefix_of(solver: SoftSolver) -> KeyValues:
    assert isinstance(solver.prompt, KeyValues)
    return solver.prompt


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_every_family_learns_in_every_way_it_answers(
    family: str, kind: str, network: str, tmp_path: Path
) -> None:
    """The loss falls by the prefix alone, the head held where it began; the weights stay.

    Broken by a prefix made without gradients, and by learning rates a hundred times too small.
    """
    backbone, task = tiny(family), replace(task_for(kind), dev=task_for(kind).dev[:2])
    before = digest_of(backbone.frozen.model)
    task = replace(task, train=task.train[:8])
    train = replace(LOOP, epochs=6, checks=1)
    settings = replace(SETTINGS, answer=kind, network=network, rate=0.3, head_rate=0.0, train=train)
    solver, outcome = tune(task, backbone, tmp_path, settings=settings)
    assert digest_of(backbone.frozen.model) == before
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())
    losses = outcome.moment.losses
    assert len(losses) == 12
    assert sum(losses[-2:]) < 0.97 * sum(losses[:2])
    prefix = prefix_of(solver)
    assert (prefix.length, prefix.start) == (3, 3 if family in DECODERS else 0)
    assert not prefix.keys.requires_grad
    heads = 2 * 32 + 2 if kind == "head" else 0
    assert solver.parameters == prefix.keys.numel() + prefix.values.numel() + heads


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("family", FRONTED)
def test_packing_and_unpacking_changes_no_answer(family: str, network: str, tmp_path: Path) -> None:
    """The network is folded away: a bundle holds keys and values, and the head or the words.

    Broken by leaving the sites out of what is packed.
    """
    backbone, task = shared(family), worded_task(train=8, dev=6)
    settings = replace(SETTINGS, network=network, layers="upper:1", train=replace(LOOP, epochs=1))
    solver, _ = tune(task, backbone, tmp_path, settings=settings)
    packed = solver.pack()
    numbers = {"keys", "values"} | ({"head.weight", "head.bias"} if family in ENCODERS else set())
    assert set(packed.arrays) == numbers
    again = unpack(packed, backbone)
    assert said(again, task) == said(solver, task)
    assert prefix_of(again).sites == prefix_of(solver).sites


@pytest.mark.parametrize("family", FRONTED)
def test_a_row_alone_is_answered_as_in_a_batch(family: str, tmp_path: Path) -> None:
    backbone, task = shared(family), worded_task(train=8, dev=6)
    settings = replace(SETTINGS, train=replace(LOOP, epochs=1))
    solver, _ = tune(task, backbone, tmp_path, settings=settings)
    inputs = [each.inputs for each in task.dev]
    for row, together in zip(inputs, solver(inputs), strict=True):
        (alone,) = solver([row])
        assert alone.outputs == together.outputs
        found, wanted = (each.evidence["probabilities"] for each in (alone, together))
        assert isinstance(found, dict)
        assert found == pytest.approx(wanted, abs=1e-5)


class DiedError(Exception):
    """The end of a life in a test."""


def dies_at(point: str, count: int) -> Watch:
    """A watch under which a run dies when it comes to a point for the n-th time."""
    left = iter(range(count - 1, -1, -1))

    def meet(name: str) -> None:
        if name == point and next(left) == 0:
            raise DiedError

    return Watch(at=meet)


@pytest.mark.parametrize(("family", "kind", "network"), [("bert", "head", "mlp")])
@pytest.mark.parametrize(
    ("point", "count"),
    [("before step", 1), ("before step", 4), ("before writing", 3), ("after writing", 3)],
)
def test_killed_and_resumed_ends_with_the_same_bytes(
    family: str, kind: str, network: str, point: str, count: int, tmp_path: Path
) -> None:
    """The network's parameters, its start and Adam's state among them: the last checkpoints' bytes.

    Broken by drawing the embedding from a generator without a seed, and keeping it out of the
    state.
    """
    task = task_for(kind)
    settings = replace(SETTINGS, answer=kind, network=network, start="random")
    calm, outcome = tune(task, tiny(family), tmp_path / "calm", settings=settings)
    for times in (count, 2):
        with pytest.raises(DiedError):
            tune(
                task,
                tiny(family),
                tmp_path / "killed",
                settings=settings,
                watch=dies_at(point, times),
            )
    resumed, again = tune(task, tiny(family), tmp_path / "killed", settings=settings)
    assert again == outcome
    assert files(tmp_path / "killed") == files(tmp_path / "calm")
    one, other = resumed.pack().arrays, calm.pack().arrays
    assert {name: part.tobytes() for name, part in one.items()} == {
        name: part.tobytes() for name, part in other.items()
    }


@pytest.mark.parametrize(("family", "kind"), [("gpt2", "text"), ("t5", "words")])
def test_stopped_and_resumed_equals_never_stopped(family: str, kind: str, tmp_path: Path) -> None:
    task, settings = task_for(kind), replace(SETTINGS, answer=kind)
    calm, outcome = tune(task, tiny(family), tmp_path / "calm", settings=settings)
    stops = iter([None] * 5 + [Interrupted("stopped", signal_number=15)])
    with pytest.raises(Interrupted):
        tune(
            task,
            tiny(family),
            tmp_path / "stopped",
            settings=settings,
            watch=Watch(stop=lambda: next(stops)),
        )
    resumed, again = tune(task, tiny(family), tmp_path / "stopped", settings=settings)
    assert again == outcome
    assert np.array_equal(resumed.pack().arrays["keys"], calm.pack().arrays["keys"])
    assert said(resumed, task) == said(calm, task)


def test_a_run_that_began_from_another_goes_on_without_its_bundle(tmp_path: Path) -> None:
    """The start is in the checkpoint. Broken by keeping it out of the state."""
    task, backbone = task_for("head"), shared("bert")
    first, _ = tune(task, backbone, tmp_path / "first")
    calm, _ = tune(task, backbone, tmp_path / "calm", other=first.pack())
    with pytest.raises(DiedError):
        tune(
            task,
            backbone,
            tmp_path / "killed",
            watch=dies_at("before step", 4),
            other=first.pack(),
        )
    resumed, _ = tune(task, backbone, tmp_path / "killed")
    assert np.array_equal(resumed.pack().arrays["values"], calm.pack().arrays["values"])


def start_of(backbone: Backbone, task: Task, **given: object) -> KeyValues:
    settings = replace(SETTINGS, **given)
    with torch.no_grad():
        return make_prefix(task, backbone, settings, None).injection()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("family", FRONTED)
def test_a_prefix_starts_from_a_written_text(family: str, network: str) -> None:
    """FAULTS 13: a text of "" is the task's instruction. Broken by a network that begins loose."""
    backbone, task = shared(family), worded_task(8, 4)
    given = start_of(backbone, task, start="text", text="good film", length=2, network=network)
    assert torch.equal(given.keys, backbone.read(backbone.frozen.encode("good film")).keys)
    words = backbone.frozen.encode(INSTRUCTION)
    whole = start_of(backbone, task, start="text", length=len(words), network=network)
    assert torch.equal(whole.values, backbone.read(words).values)


@pytest.mark.parametrize("start", ["random", "vocabulary", "zero"])
def test_a_start_is_of_its_seed(start: str) -> None:
    backbone, task = shared("bert"), review_task(8, 4)
    zero, again = (start_of(backbone, task, start=start) for _ in range(2))
    other = start_of(backbone, task, start=start, train=replace(LOOP, seed=1))
    assert torch.equal(zero.keys, again.keys)
    assert not torch.equal(zero.keys, other.keys)
    assert bool(zero.values.any()) == (start != "zero")


@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
def test_a_prefix_starts_from_another_run(family: str, tmp_path: Path) -> None:
    """Its answers are the other's before the first step. Broken by leaving ``other`` out."""
    backbone, task = shared(family), worded_task(8, 4)
    first, _ = tune(task, backbone, tmp_path / "first")
    built = make_prefix(task, backbone, replace(SETTINGS, start="ignored"), first.pack())
    assert torch.equal(built.injection().keys, prefix_of(first).keys)
    assert torch.equal(built.injection().values, prefix_of(first).values)
    upper = replace(SETTINGS, layers="upper:1", length=5)
    second, _ = tune(task, backbone, tmp_path / "second", settings=upper, other=first.pack())
    assert prefix_of(second).length == 5
    half = len(backbone.sites()) // 2
    assert len(prefix_of(second).keys) == half


def test_another_model_s_run_is_refused(tmp_path: Path) -> None:
    """Broken by comparing shapes alone, which are the same."""
    task = review_task(8, 4)
    first, _ = tune(task, tiny("bert", seed=1), tmp_path / "first")
    with pytest.raises(MismatchError, match="weights are not those of tiny:bert"):
        tune(task, shared("bert"), tmp_path / "second", other=first.pack())
    with pytest.raises(MismatchError, match="load the model it was tuned on"):
        unpack(first.pack(), shared("bert"))


@pytest.mark.parametrize("family", FRONTED)
def test_auto_stands_where_the_answer_is_read(family: str) -> None:
    """A head reads an encoder-decoder's encoder. Broken by taking all its sites for a head."""
    backbone, task = shared(family), worded_task(8, 4)
    sites = backbone.sites()
    head = start_of(backbone, task, answer="head").sites
    assert head is not None
    kinds = {sites[number].place for number in head}
    assert kinds == {Place.DECODER if family in DECODERS else Place.ENCODER}
    if family in ENCODER_DECODERS:
        assert start_of(backbone, task, answer="words").sites == tuple(range(len(sites)))


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        ("bert", {"length": 0}, "expected a prefix of 1 place or more, got length 0"),
        ("bert", {"start": "noise"}, "expected start random, text, vocabulary, zero or a run, got"),
        ("bert", {"network": "lstm"}, "expected network none or mlp, got 'lstm'"),
        ("bert", {"places": "cross"}, "that the model has, which are encoder, got 'cross'"),
        ("bert", {"places": "top"}, "auto, all, or some of encoder, decoder, cross, got 'top'"),
        ("bert", {"layers": "upper:3"}, "expected upper:1 to upper:2 of the 2 encoder layers"),
        ("bert", {"layers": "0,2"}, "expected encoder layers of 0 to 1, got '0,2'"),
        ("t5", {"answer": "head", "places": "all"}, "a head reads the encoder, which decoder, cro"),
        ("bert", {"answer": "guess"}, "expected answer auto, head, words or text, got 'guess'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    family: str, given: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        start_of(shared(family), worded_task(8, 4), **given)


def test_a_text_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="expected a text to start the prompt from, got ' '"):
        start_of(shared("bert"), review_task(8, 4), start="text", text=" ")


@pytest.mark.parametrize("family", OWN_ATTENTION)
def test_a_model_with_an_attention_of_its_own_is_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes no keys and values; use vectors at its input"):
        tune(review_task(8, 4), shared(family), tmp_path)


def test_a_prefix_as_long_as_a_decoder_s_table_is_refused(tmp_path: Path) -> None:
    """A decoder's text comes behind it; an encoder's prefix takes no places of the text."""
    settings = replace(SETTINGS, length=64, answer="head", train=replace(LOOP, epochs=1))
    with pytest.raises(ModelError, match="a prompt of 64 leaves no room for the text: tiny:gpt2"):
        tune(review_task(8, 4), shared("gpt2"), tmp_path, settings=settings)
    solver, _ = tune(review_task(8, 4), shared("bert"), tmp_path, settings=settings)
    assert prefix_of(solver).length == 64


def test_p_tuning_v2_is_a_prefix_under_a_head_without_a_network() -> None:
    backbone, task = shared("gpt2"), worded_task(8, 4)
    prefix = make_prefix(task, backbone, P_TUNING_V2, None)
    assert isinstance(prefix.change, FreeChange)
    assert P_TUNING_V2.answer == "head"
    own = make_prefix(task, backbone, PrefixSettings(), None)
    assert isinstance(own.change, NetworkChange)


def test_a_prefix_read_from_words_and_left_alone_answers_as_the_words(tmp_path: Path) -> None:
    """Rates of 0 keep the start: the solver's answers are those of the words written out."""
    backbone, task = shared("gpt2"), worded_task(8, 6)
    words = backbone.frozen.encode(INSTRUCTION)
    settings = replace(
        SETTINGS, length=len(words), start="text", rate=0.0, train=replace(LOOP, epochs=1)
    )
    solver, _ = tune(task, backbone, tmp_path, settings=settings)
    read = from_words(backbone, words, len(words))
    assert torch.equal(prefix_of(solver).keys, read.keys)
    inputs = [each.inputs for each in task.dev]
    longer = [{"review": f"{INSTRUCTION} {row['review']}"} for row in inputs]
    bare = replace(solver, prompt=None, ready=None)
    for one, other in zip(solver(inputs), bare(longer), strict=True):
        assert one.outputs == other.outputs
        wanted = other.evidence["probabilities"]
        assert one.evidence["probabilities"] == pytest.approx(wanted, abs=1e-5)
