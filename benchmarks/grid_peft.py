"""PEFT's side of the grid: the checks of a cell, by its documented calls, and helped."""

import copy
import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
from torch import Tensor, nn

from benchmarks.grid_cell import NOT_APPLICABLE, YES, Answer, Cell, FaultError, ask, reason_of
from benchmarks.grid_models import WRITTEN, allows, model_of
from benchmarks.grid_peft_model import (
    VIRTUAL,
    Case,
    answers,
    gradients,
    heads,
    optimizer_of,
    scored,
    train,
    trained_head,
    wrapped,
    written,
)
from benchmarks.grid_rows import IGNORED, ROWS, batch_of

BEAMS = 3
PADS = 3
SAME = 1e-4  # answers under padding, and in a batch
SAVED = 1e-5  # answers after loading
GRADIENTS = 1e-5

NOTE = f"""\
Where someone who knows PEFT can help it, it is helped here: all modules of a head go into
`modules_to_save`; DistilBERT's shape is told; labels of places get {IGNORED} for the virtual
tokens, or are moved behind them; left padding counts as harmless also where it is so only with
position ids given; gradient checkpointing also where it works only if switched on after wrapping.
Answers are read behind the virtual tokens. {VIRTUAL} of them, each method's default start."""


def check(family: str, task: str, method: str) -> Cell:
    """PEFT's answers to all the checks of a cell, with all help."""
    return cell_of(Case(family, task, method, helped=True))


def cell_of(case: Case) -> Cell:
    """The answers to all the checks of a case."""
    checks = {
        "trains": trains,
        "saves": saves,
        "padding": padding,
        "alone": alone,
        "generates": generates,
        "checkpoints": checkpoints,
        "resumes": resumes,
    }
    refusal = None if allows(case.family, case.method) else ValueError
    answered = {name: ask(partial(checks[name], case), refusal=refusal) for name in checks}
    return Cell(case.family, case.task, case.method, answered)


def trains(case: Case) -> Answer:
    """A few steps: prompt and head alone get gradients and move, and the loss moves."""
    model = wrapped(case)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    losses = train(model, case, optimizer_of(model))
    if not all(torch.isfinite(torch.tensor(losses))) or losses[0] == losses[-1]:
        raise FaultError("the loss does not move")
    for name, value in model.named_parameters():
        gradient = value.grad is not None and bool(value.grad.any())
        moved = not torch.equal(value, before[name])
        if "prompt_encoder" in name and not (gradient and moved):
            raise FaultError("a part of the prompt gets no gradient")
        learned = "prompt_encoder" in name or "modules_to_save" in name
        if not learned and (value.grad is not None or moved):
            raise FaultError("a weight of the frozen model gets a gradient")
    missing = [name for name in heads(case) if not trained_head(model, name)]
    if missing:
        raise FaultError(f"the head's {', '.join(missing)} is not trained")
    return YES


def saves(case: Case) -> Answer:
    """Trained, saved and loaded on a fresh model, it answers the same."""
    model = wrapped(case)
    train(model, case, optimizer_of(model))
    batch = batch_of(case.family, case.task, ROWS)
    before = answers(model, case, batch)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = PeftModel.from_pretrained(model_of(case.family, case.task), folder)
    same(before, answers(loaded, case, batch), SAVED, "the answer after loading differs")
    return YES


def padding(case: Case) -> Answer:
    """A text's answer stays what it is with padding on its right and on its left."""
    for side in ("right", "left"):
        size = moved_by_padding(wrapped(case), case, side)
        if size > SAME:
            bare = moved_by_padding(model_of(case.family, case.task), case, side) > SAME
            too = " (it moves the bare model's, too)" if bare else ""
            raise FaultError(f"{side} padding moves the answer{too}", size)
    return YES


def moved_by_padding(model: nn.Module, case: Case, side: str) -> float:
    """The largest change of an answer under padding of that side.

    With help, the smaller one of two calls: as documented, and with the text's own position ids.
    """
    short = answers(model, case, batch_of(case.family, case.task, ROWS[:1]))
    long = batch_of(case.family, case.task, ROWS[:1], side=side, pads=PADS)
    size = difference(short, answers(model, case, long))
    if case.helped and takes_positions(case):
        places = (long.inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)
        told = replace(long, inputs=long.inputs | {"position_ids": places})
        size = min(size, difference(short, answers(model, case, told)))
    return size


def takes_positions(case: Case) -> bool:
    """Whether the family's model can be told position ids."""
    forward = model_of(case.family, case.task).forward
    return "position_ids" in inspect.signature(forward).parameters


def alone(case: Case) -> Answer:
    """A row alone is answered as in a batch of rows of other lengths and tasks."""
    model = wrapped(case)
    together = answers(model, case, batch_of(case.family, case.task, ROWS))
    apart = [answers(model, case, batch_of(case.family, case.task, [row]))[0] for row in ROWS]
    same(apart, together, SAME, "a row alone is answered otherwise than in a batch")
    return YES


def generates(case: Case) -> Answer:
    """Greedy search writes the same with and without the cache, by forward's scores; beams run."""
    if case.task not in WRITTEN:
        return NOT_APPLICABLE
    model = wrapped(case)
    batch = batch_of(case.family, case.task, ROWS[:1])
    cached, scores = written(model, batch, cached=True)
    again, _ = written(model, batch, cached=False)
    if not torch.equal(cached, again):
        raise FaultError("greedy search with and without the cache differ")
    wanted = scored(model, case, batch, cached)
    same([wanted], [scores], SAME, "generate's scores are not those of forward")
    written(model, batch, cached=True, beams=BEAMS)
    return YES


def checkpoints(case: Case) -> Answer:
    """Gradient checkpointing gives the gradients that are there without it.

    Switched on before wrapping; with help, where that fails, after it.
    """
    if not model_of(case.family, case.task).supports_gradient_checkpointing:
        return NOT_APPLICABLE
    wanted = gradients(wrapped(case), case)
    before = ask(partial(same_gradients, case, wanted, before=True))
    if before.verdict == "yes" or not case.helped:
        return before
    after = ask(partial(same_gradients, case, wanted, before=False))
    if after.verdict == "yes" or before.reason == after.reason:
        return after
    raise FaultError(f"{before.reason} (switched on after wrapping: {after.reason})")


def same_gradients(case: Case, wanted: dict[str, Tensor], *, before: bool) -> Answer:
    """Whether a pass with checkpointing gives the gradients wanted, none of them zero."""
    base = model_of(case.family, case.task)
    if before:
        base.gradient_checkpointing_enable()
    model = wrapped(case, base)
    if not before:
        base.gradient_checkpointing_enable()
    found = gradients(model, case)
    if not any(value.any() for name, value in found.items() if "prompt_encoder" in name):
        raise FaultError("the prompt gets no gradient under checkpointing")
    size = max(float((found[name] - wanted[name]).abs().max()) for name in wanted)
    if size > GRADIENTS:
        raise FaultError("gradients under checkpointing differ", size)
    return YES


def resumes(case: Case) -> Answer:
    """Saved in the middle and loaded to train on, it ends at the same bits."""
    model = wrapped(case)
    optimizer = optimizer_of(model)
    train(model, case, optimizer)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        state = copy.deepcopy(optimizer.state_dict())
        train(model, case, optimizer)
        try:
            base = model_of(case.family, case.task)
            taken_up = PeftModel.from_pretrained(base, folder, is_trainable=True)
        except ValueError as refusal:
            by_hand = goes_on_by_hand(model, case, Path(folder), state)
            note = " (set_peft_model_state_dict on a new model goes on)" if by_hand else ""
            raise FaultError(reason_of(refusal) + note) from None
    if not ends_equal(model, taken_up, case, state):
        raise FaultError("resumed training ends at other weights")
    return YES


def goes_on_by_hand(model: PeftModel, case: Case, folder: Path, state: dict[str, object]) -> bool:
    """Whether the saved weights, put into a model wrapped anew, train on to the same bits."""
    taken_up = wrapped(case)
    try:
        set_peft_model_state_dict(taken_up, load_peft_weights(str(folder)))
        return ends_equal(model, taken_up, case, state)
    except (RuntimeError, ValueError, KeyError):  # the file lacks what training needs
        return False


def ends_equal(model: PeftModel, taken_up: PeftModel, case: Case, state: dict[str, object]) -> bool:
    """Whether a model taken up, trained on, ends where the uninterrupted one ended."""
    optimizer = optimizer_of(taken_up)
    optimizer.load_state_dict(state)
    train(taken_up, case, optimizer)
    wanted = {name: value for name, value in model.named_parameters() if value.requires_grad}
    found = dict(taken_up.named_parameters())
    return all(torch.equal(found[name], wanted[name]) for name in wanted)


def same(wanted: list[Tensor], found: list[Tensor], tolerance: float, reason: str) -> None:
    """Raise FaultError with the reason where answers differ by more than the tolerance."""
    size = difference(wanted, found)
    if size > tolerance:
        raise FaultError(reason, size)


def difference(wanted: list[Tensor], found: list[Tensor]) -> float:
    """The largest difference of two lists of answers; of other shapes or no numbers, infinite."""
    pairs = list(zip(wanted, found, strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    size = max((a - b).abs().nan_to_num(nan=float("inf")).max() for a, b in pairs)
    return float(size)
