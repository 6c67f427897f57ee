"""The doctor: what is wrong with a run before it costs anything, found in seconds."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from afina.soft.answer import Answer, HeadAnswer, LabelWords, Writing
from afina.soft.learner import Learner, SoftPrompt, joint_losses
from afina.soft.reading import Read
from afina.soft.soft_solver import ROWS, SoftSolver
from afina.task.task import Task
from afina.training.batches import plan
from afina.training.soft_run import Built, solver_of

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)  # in units of the model's own vectors
PROBED_STEPS = 40
TAKEN = 256  # training rows that are looked at
PROBED_ROWS = 16
FITTED = 8  # rows that a prompt and its answer must be able to learn by heart
FITTED_STEPS = 120
FITTED_LOSS = 0.3  # of what it was at the start
PADDING = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # largest difference, of the largest number
COLLAPSED = 0.98  # share of the commonest answer


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine, or worth a look, and why."""

    name: str
    fine: bool
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """All findings; ``losses`` are the last of a short run at each learning rate tried."""

    findings: tuple[Finding, ...]
    losses: tuple[tuple[float, float], ...] = ()

    @property
    def rate(self) -> float | None:
        """The learning rate whose short run ended lowest."""
        finite = [(loss, rate) for rate, loss in self.losses if loss < float("inf")]
        return min(finite)[1] if finite else None


def look(built: Built) -> tuple[Finding, ...]:
    """What needs no training: padding, room, and what the loss is made of."""
    return padding(built), room(built), wanted(built)


def examine(task: Task, build: Callable[[Task, float | None], Built]) -> Diagnosis:
    """The whole examination, on the first rows of a task.

    ``build`` makes a fresh prompt for a task, at a learning rate or at its method's own.
    """
    few = replace(task, train=task.train[:TAKEN], dev=task.dev[:ROWS])
    builts = [build(few, rate) for rate in RATES]
    quick = look(builts[0])
    found = tuple(zip(RATES, probe_rates(builts), strict=True))
    diagnosis = Diagnosis(quick, found)
    rate = diagnosis.rate
    if rate is None:
        return Diagnosis((*quick, rates_differ(diagnosis)), found)
    tried = builts[RATES.index(rate)]
    said = answers(few, solver_of(tried.learner, tried.prepared))
    by_heart = learns_by_heart(build(few, rate))
    return Diagnosis((*quick, rates_differ(diagnosis), said, by_heart), found)


def padding(built: Built) -> Finding:
    """A row alone against the row beside the longest."""
    rows = sorted(built.prepared.rows, key=lambda row: len(row.tokens))
    short, long = rows[0], rows[-1]
    with torch.no_grad():
        alone = _gathered(built.learner, [short])[0]
        beside = _gathered(built.learner, [short, long])[0]
    alone, beside = (part.flatten()[: alone.numel()] for part in (alone, beside))
    difference = float((alone - beside).abs().max() / alone.abs().max().clamp(min=1e-6))
    allowed = PADDING[built.learner.backbone.frozen.precision]
    return Finding(
        "padding",
        difference <= allowed,
        f"a row of {len(short.tokens)} tokens beside one of {len(long.tokens)} differs by "
        f"{difference:.1e}; at most {allowed:.0e} is rounding",
    )


def room(built: Built) -> Finding:
    """Whether texts are cut because the model's position table is too short for them."""
    rows, frozen = built.prepared.rows, built.learner.backbone.frozen
    cut = [row for row in rows if row.cut]
    longest = max(len(row.tokens) + row.cut for row in rows)
    text = f"the longest row has {longest} tokens, room is for {built.prepared.reader.room}"
    if cut:
        lost = sum(row.cut for row in cut)
        text += f"; {len(cut)} of {len(rows)} rows lose {lost} tokens ({frozen.name} has "
        text += f"{frozen.positions} places): shorten the texts or the prompt"
    return Finding("room", not cut, text)


def wanted(built: Built) -> Finding:
    """What is masked in the loss, and what is not."""
    rows, answer = built.prepared.rows, built.prepared.answer
    tokens = sum(len(row.tokens) for row in rows)
    match answer:
        case Writing():
            counted = sum(len(row.target) for row in rows)
            empty = sum(not row.target for row in rows)
            text = f"{counted} target tokens count, {tokens} tokens of the inputs do not"
            return Finding("loss", not empty, text + (f"; {empty} rows want nothing" * bool(empty)))
        case LabelWords(tokens=words):
            counted = sum(len(words[row.label]) for row in rows)
            text = f"{counted} tokens of label words count, {tokens} tokens of the inputs do not"
            return Finding("loss", True, text)
        case HeadAnswer(labels=labels):
            seen = Counter(row.label for row in rows)
            missing = [label for at, label in enumerate(labels) if not seen[at]]
            text = f"one label a row counts, {len(labels)} labels"
            if missing:
                text += f"; no training row has {', '.join(missing[:5])}"
            return Finding("loss", not missing, text)
    return Finding("loss", True, f"{len(rows)} rows count")


def answers(task: Task, solver: SoftSolver) -> Finding:
    """Whether a prompt gives one answer to everything."""
    name = task.signature.target.name
    said = Counter(
        str(prediction.outputs[name])
        for prediction in solver([example.inputs for example in task.dev[:ROWS]])
        if prediction.outputs
    )
    word, count = said.most_common(1)[0]
    share = count / said.total()
    different = "1 answer" if len(said) == 1 else f"{len(said)} different answers"
    text = f"{different} to {said.total()} dev rows; {word[:40]!r} to {share:.0%}"
    return Finding("answers", share < COLLAPSED, text)


def probe_rates(builts: Sequence[Built]) -> list[float]:
    """The mean loss of the last quarter of a short run a learner, all in one pass."""
    curves = short_runs(builts, steps=PROBED_STEPS, rows=PROBED_ROWS)
    last = PROBED_STEPS // 4
    return [sum(curve[-last:]) / last for curve in curves]


def rates_differ(diagnosis: Diagnosis) -> Finding:
    """Whether the best rate lies inside the range that was tried."""
    shown = ", ".join(f"{rate:g}: {loss:.3f}" for rate, loss in diagnosis.losses)
    inside = diagnosis.rate not in (None, RATES[0], RATES[-1])
    return Finding(
        "rate",
        inside,
        f"loss after {PROBED_STEPS} steps by rate: {shown}; lowest at {diagnosis.rate}",
    )


def learns_by_heart(built: Built) -> Finding:
    """Whether the prompt and its answer can learn a handful of rows by heart."""
    rows = built.prepared.rows[:FITTED]
    few = replace(built, prepared=replace(built.prepared, rows=rows))
    (curve,) = short_runs([few], steps=FITTED_STEPS, rows=FITTED)
    best = min(curve)
    return Finding(
        "by heart",
        best <= FITTED_LOSS * curve[0],
        f"the loss of {FITTED} rows falls from {curve[0]:.3f} to {best:.3f} in {FITTED_STEPS} "
        "steps; where it does not fall, raise the rate or the length",
    )


def short_runs(builts: Sequence[Built], *, steps: int, rows: int) -> list[list[float]]:
    """Loss curves of learners trained side by side on the same batches, with no warm-up."""
    optimizers = [
        torch.optim.AdamW(
            [
                {"params": group.parameters, "lr": group.learning_rate}
                for group in built.learner.groups()
            ],
            weight_decay=0.0,
        )
        for built in builts
    ]
    batches = _batches(builts[0].prepared.rows, steps, rows)
    curves: list[list[float]] = [[] for _ in builts]
    for batch in batches:
        losses = joint_losses([(built.learner, batch) for built in builts])
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        for curve, optimizer, loss in zip(curves, optimizers, losses, strict=True):
            value = float(loss.detach())
            curve.append(value if value == value else float("inf"))
            optimizer.step()
    return curves


def _batches(rows: Sequence[Read], steps: int, size: int) -> list[list[Read]]:
    generator = torch.Generator().manual_seed(0)
    lengths = [len(row.tokens) for row in rows]
    found: list[list[Read]] = []
    while len(found) < steps:
        found += [[rows[at] for at in places] for places in plan(lengths, size, generator)]
    return found[:steps]


def _gathered(learner: Learner, rows: Sequence[Read]) -> Tensor:
    assert isinstance(learner.answer, Answer)
    assert isinstance(learner.prompt, SoftPrompt)
    injections = [learner.prompt.injection()] * len(rows)
    return learner.answer.gather(learner.backbone, rows, injections)
