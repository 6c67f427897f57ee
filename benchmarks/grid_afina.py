"""Afina's side of the grid: the checks of a cell, each at least as strict as PEFT's."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.decoder import Decoder
from afina.backbones.encoder_decoder import EncoderDecoder
from afina.backbones.frozen import digest_of
from afina.backbones.generation import Generation
from afina.backbones.writing import generate
from afina.disk import Disk
from afina.errors import InputError
from afina.soft.soft_solver import unpack
from afina.store.bundle import load_bundle, save_bundle
from afina.training.checkpoint import Checkpoints
from afina.training.train import Outcome, TrainSettings, train
from afina.training.watch import Watch
from benchmarks.grid_afina_anew import AnewTurn
from benchmarks.grid_afina_model import (
    NEW,
    VIRTUAL,
    Asked,
    Case,
    Made,
    backbone_for,
    make,
    said,
    strangers,
    train_a_little,
    trained,
)
from benchmarks.grid_cell import NOT_APPLICABLE, YES, Answer, Cell, FaultError, ask
from benchmarks.grid_models import WRITTEN, allows

BEAMS = 3
PADS = (1, 3, 20)  # tokens by which the row beside is longer
SAME = 1e-5  # scores; PEFT is asked for 1e-4 under padding and in a batch
LOOP = TrainSettings(epochs=3, batch=2, checks=1, save_every=2, patience=99)
DEATHS = (("before writing", 2), ("before step", 2), ("after writing", 2))  # the n-th in a life

NOTE = f"""\
Each method as `afina tune` builds it, {VIRTUAL} vectors or keys and values, its default start.
Afina lays out a batch itself (encoders are padded on the right, decoders on the left), so nobody
chooses a side: **padding** asks whether a row's answers move when rows longer by
{PADS[0]}, {PADS[1]} and {PADS[2]} tokens stand beside it; **alone** mixes rows under vectors of
another length, vectors anywhere, keys and values at all sites and at one, and none. Both to 1e-5,
of trained prompts. **saves** goes through a bundle on disk to a fresh model, and compares the
predictions, too. **generates**: greedy and beam search over the whole batch write the same and
score it the same where every token is read anew without a cache. **resumes**: training is killed
{len(DEATHS)} times; its last checkpoint and weights are those of the uninterrupted run, byte for
byte. Keys and values on DeBERTa-v2 are refused by an error: its attention has no place for them."""


def check(family: str, task: str, method: str) -> Cell:
    """Afina's answers to all the checks of a cell."""
    case = Case(family, task, method)
    checks: dict[str, Callable[[Case], Answer]] = {
        "trains": trains,
        "saves": saves,
        "padding": padding,
        "alone": alone,
        "generates": generates,
        "checkpoints": checkpoints,
        "resumes": resumes,
    }
    refusal = None if allows(family, method) else InputError
    answers = {name: ask(partial(checks[name], case), refusal=refusal) for name in checks}
    return Cell(family, task, method, answers)


def trains(case: Case) -> Answer:
    """A few steps: prompt and head alone get gradients and move, and the loss moves."""
    made = make(case)
    model = made.backbone.frozen.model
    bytes_before = digest_of(model)
    before = {name: value.detach().clone() for name, value in made.learner.named_parameters()}
    losses = train_a_little(made)
    if not all(torch.isfinite(torch.tensor(losses))) or losses[0] == losses[-1]:
        raise FaultError("the loss does not move")
    for name, value in made.learner.named_parameters():
        gradient = value.grad is not None and bool(value.grad.any())
        if not gradient or torch.equal(value, before[name]):
            raise FaultError(f"{name} gets no gradient")
    if any(value.grad is not None for value in model.parameters()):
        raise FaultError("a weight of the frozen model gets a gradient")
    if digest_of(model) != bytes_before:
        raise FaultError("the frozen model's bytes change")
    return YES


def saves(case: Case) -> Answer:
    """Trained, kept as a bundle and loaded on a fresh model, it answers the same."""
    made = trained(case)
    for task, inputs in enumerate(made.inputs):
        solver = made.solver(task)
        with TemporaryDirectory() as folder:
            save_bundle(Path(folder), solver.pack(), Disk())
            loaded = unpack(load_bundle(Path(folder), Disk()), backbone_for(case))
        wanted, found = solver(inputs), loaded(inputs)
        if [(each.outputs, each.evidence) for each in wanted] != [
            (each.outputs, each.evidence) for each in found
        ]:
            raise FaultError("the prediction after loading differs")
        own = made.asked_of(task)
        kept = made.answer(task) if case.task == "feature extraction" else loaded.answer
        again = [
            Asked(replace(loaded.reader.read(row), target=each.read.target), loaded.ready, kept)
            for row, each in zip(inputs, own, strict=True)
        ]
        same(
            said(made.backbone, own),
            said(loaded.backbone, again),
            "the answer after loading differs",
        )
    return YES


def padding(case: Case) -> Answer:
    """A row's answer stays what it is beside longer rows, on whichever side it is padded."""
    made = trained(case)
    for each in made.asked():
        wanted = said(made.backbone, [each])
        for pads in PADS:
            found = said(made.backbone, [each, longer(each, pads)])[:1]
            same(wanted, found, "a longer row beside it moves the answer")
    return YES


def longer(asked: Asked, pads: int) -> Asked:
    """The row with more tokens, and more of them wanted where tokens are."""
    read = asked.read
    word = max(read.tokens)
    target = [*read.target, *[word] * pads] if read.target else []
    return replace(asked, read=replace(read, tokens=[*read.tokens, *[word] * pads], target=target))


def alone(case: Case) -> Answer:
    """A row alone is answered as among rows of other lengths, tasks and methods."""
    made = trained(case)
    rows, others = made.asked(), strangers(made)
    apart = [said(made.backbone, [each])[0] for each in rows]
    mixed = said(made.backbone, [*others[:1], *rows[:2], *others[1:], *rows[2:]])
    together = [*mixed[1:3], *mixed[len(others) + 2 :]]
    same(apart, together, "a row alone is answered otherwise than in a mixed batch")
    return YES


def generates(case: Case) -> Answer:
    """Greedy and beam search write the same texts with and without the cache."""
    if case.task not in WRITTEN:
        return NOT_APPLICABLE
    made = trained(case)
    rows = [each.read.tokens for each in made.asked()]
    injections = [each.injection for each in made.asked()]
    backbone = writer(made.backbone)
    for name, settings in (
        ("greedy search", Generation(tokens=NEW)),
        ("beam search", Generation(tokens=NEW, beams=BEAMS, returns=BEAMS)),
    ):
        cached = generate(backbone.begin(rows, injections), settings)
        anew = generate(AnewTurn(backbone, rows, injections), settings)
        pairs = [
            pair for each in zip(cached, anew, strict=True) for pair in zip(*each, strict=True)
        ]
        if any(with_it.tokens != without.tokens for with_it, without in pairs):
            raise FaultError(f"{name} with and without the cache differ")
        size = max(abs(with_it.score - without.score) for with_it, without in pairs)
        if size > SAME:
            raise FaultError(f"{name} with and without the cache score differently", size)
    return YES


def writer(backbone: Backbone) -> Decoder | EncoderDecoder:
    assert isinstance(backbone, Decoder | EncoderDecoder)
    return backbone


def checkpoints(case: Case) -> Answer:
    """Gradient checkpointing gives the gradients that are there without it."""
    made = trained(case)
    if not made.backbone.frozen.model.supports_gradient_checkpointing:
        return NOT_APPLICABLE
    wanted, found = gradients(made, recomputes=False), gradients(made, recomputes=True)
    if not all(value.any() for value in found.values()):
        raise FaultError("the prompt gets no gradient under checkpointing")
    size = max(float((found[name] - wanted[name]).abs().max()) for name in wanted)
    if size > SAME:
        raise FaultError("gradients under checkpointing differ", size)
    return YES


def gradients(made: Made, *, recomputes: bool) -> dict[str, Tensor]:
    """Each learned weight's gradient of one pass; zeros where none comes."""
    made.learner.zero_grad()
    with made.backbone.frozen.recomputing() if recomputes else nullcontext():
        made.learner.loss(made.rows()).backward()  # type: ignore[arg-type]  # rows of its own kind
    return {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in made.learner.named_parameters()
    }


class KilledError(Exception):
    """A training run's death."""


def resumes(case: Case) -> Answer:
    """Killed again and again and begun again, it ends at the bytes of a run never stopped."""
    with TemporaryDirectory() as folder:
        whole = run(case, Path(folder) / "whole", Watch())
        for point, number in DEATHS:
            try:
                run(case, Path(folder) / "killed", Watch(at=dies_at(point, number)))
            except KilledError:
                continue
            raise FaultError("a run that was to be killed was not")
        resumed = run(case, Path(folder) / "killed", Watch())
    if resumed[2] != whole[2]:
        raise FaultError("the last checkpoint of resumed training has other bytes")
    if resumed[1] != whole[1] or not all(
        torch.equal(value, resumed[0][name]) for name, value in whole[0].items()
    ):
        raise FaultError("resumed training ends at other weights")
    return YES


def run(case: Case, folder: Path, watch: Watch) -> tuple[dict[str, Tensor], Outcome, str]:
    """Train in a folder: the weights, how it went, and the newest checkpoint's name, its digest."""
    folder.mkdir(exist_ok=True)
    made = make(case)
    rows = made.rows()

    @torch.no_grad()
    def score() -> float:
        return -float(made.learner.loss(rows))  # type: ignore[arg-type]  # rows of its own kind

    keeper = Checkpoints(folder, Disk(), weights=made.backbone.frozen.digest)
    outcome = train(made.learner, rows, score, settings=LOOP, keeper=keeper, watch=watch)
    return made.learner.state_dict(), outcome, max(path.name for path in folder.iterdir())


def dies_at(point: str, number: int) -> Callable[[str], None]:
    """Dies when a life comes to a point for the n-th time."""
    met: list[str] = []

    def at(name: str) -> None:
        met.append(name)
        if met.count(point) == number:
            raise KilledError

    return at


def same(wanted: Sequence[Tensor], found: Sequence[Tensor], reason: str) -> None:
    """Raise FaultError with the reason where answers differ by more than SAME."""
    size = max(
        float((a - b).abs().nan_to_num(nan=torch.inf).max())
        for a, b in zip(wanted, found, strict=True)
    )
    if size > SAME:
        raise FaultError(reason, size)
