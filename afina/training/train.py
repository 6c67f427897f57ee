"""The training loop: few parameters, a frozen model, and a run that can be killed at any point."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
import transformers
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.errors import AfinaError, MismatchError
from afina.soft.learner import Group
from afina.training.batches import plan
from afina.training.checkpoint import Checkpoint, Checkpoints
from afina.training.watch import Progress, Watch

LEAST_PASSES, LEAST_STEPS, LEAST_BETWEEN = 4, 400, 25


@dataclass(frozen=True)
class TrainSettings:
    """How a run trains."""

    epochs: int | None = None  # passes at most; None: four, and more where that is under 400 steps
    batch: int = 32  # rows a step
    warmup: float = 0.06  # share of all steps in which the learning rate rises
    patience: int = 6  # dev scores in a row without a gain before it stops
    checks: int | None = None  # dev scores a pass; None: two, and fewer where passes are short
    clip: float = 1.0  # largest norm of the gradient
    weight_decay: float = 0.0
    save_every: int = 50  # steps between checkpoints; each dev score makes one too
    recompute: bool = False  # gradient checkpointing: less memory on long texts, more time
    seed: int = 0


@dataclass(frozen=True)
class Moment:
    """Where a run stands, besides its tensors; plain JSON."""

    step: int = 0
    best_score: float = -math.inf
    best_step: int = -1
    worse: int = 0  # dev scores since the best
    losses: tuple[float, ...] = ()
    scores: tuple[tuple[int, float], ...] = ()  # (step, dev score)


@runtime_checkable
class Row(Protocol):
    """What the loop asks of a row; a learner knows more of its own rows."""

    @property
    def tokens(self) -> Sequence[int]:
        """Rows of as many tokens share a batch."""


@runtime_checkable
class Trainable(Protocol):
    """A module with a loss and groups of parameters."""

    def groups(self) -> list[Group]:
        """Parameters with their learning rates."""

    def loss(self, rows: Sequence[Any]) -> Tensor:  # each learner has its own kind of rows
        """The loss of a batch, a scalar."""

    def state_dict(self) -> dict[str, Tensor]:
        """All tensors that training moves."""

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take tensors back."""


@dataclass(frozen=True)
class Outcome:
    """How a run went: the curve, the dev scores, where the best was, and why it failed if so."""

    moment: Moment
    steps: int
    failure: str = ""


@dataclass(frozen=True)
class Lane:
    """One learner with its own rows, score and settings; several may train side by side."""

    learner: Trainable
    rows: Sequence[Row]
    score: Callable[[], float]
    settings: TrainSettings


Batches = Sequence[tuple[Trainable, Sequence[Any]]]  # rows of the learner's own kind


def train(
    learner: Trainable,
    rows: Sequence[Row],
    score: Callable[[], float],
    *,
    settings: TrainSettings,
    keeper: Checkpoints,
    watch: Watch,
) -> Outcome:
    """Train until the passes are over or dev gains no more; the learner ends at its best.

    The start counts as a candidate. Called again with the same arguments it goes on from the
    newest whole checkpoint and ends with the same bytes as if it had never stopped.

    Raises:
        MismatchError: the checkpoint was made by other software, threads or settings.
        SpaceError: a checkpoint could not be written; the ones before are kept.
        AfinaError: the loss is no finite number.
    """
    lane = Lane(learner, rows, score, settings)
    (outcome,) = train_together([lane], own_losses, keeper=keeper, watch=watch)
    if outcome.failure:
        raise AfinaError(outcome.failure)
    return outcome


def own_losses(batches: Batches) -> list[Tensor]:
    """Each learner's loss of its batch, one after the other."""
    return [learner.loss(rows) for learner, rows in batches]


def train_together(
    lanes: Sequence[Lane],
    losses: Callable[[Batches], list[Tensor]],
    *,
    keeper: Checkpoints,
    watch: Watch,
) -> list[Outcome]:
    """Train learners step by step side by side; ``losses`` may compute them in one pass.

    They share no parameter, so each goes as it would alone, up to rounding. One whose loss is no
    finite number ends there, and the others go on. All are kept in one checkpoint.

    Raises:
        MismatchError: the checkpoint was made by other software, threads or settings.
        SpaceError: a checkpoint could not be written; the ones before are kept.
    """
    runs = [_Run(lane, weights=keeper.weights) for lane in lanes]
    saved = keeper.load()
    if saved is None:
        for run in runs:
            run.check()
        _keep(runs, keeper, watch)
    else:
        _restore(runs, saved, watch)
    clock, first = time.monotonic(), _step(runs)
    while going := [run for run in runs if not run.finished]:
        reason = watch.stop()
        if reason is not None:
            _keep(runs, keeper, watch)
            raise reason
        watch.at("before step")
        _advance(going, losses)
        due = [run for run in going if run.check_is_due]
        for run in due:
            run.check()
        step = _step(runs)
        if due or step % min(run.settings.save_every for run in runs) == 0:
            _keep(runs, keeper, watch)
        _show(going, watch, (time.monotonic() - clock) / max(step - first, 1))
    watch.at("after the last step")
    return [run.end() for run in runs]


def _advance(runs: "Sequence[_Run]", losses: Callable[[Batches], list[Tensor]]) -> None:
    """One step of every run, by one backward pass."""
    with _recomputing(runs):
        found = losses([(run.lane.learner, run.batch()) for run in runs])
    for run in runs:
        run.optimizer.zero_grad(set_to_none=True)
    torch.stack(found).sum().backward()
    for run, loss in zip(runs, found, strict=True):
        run.take(float(loss.detach()))


@runtime_checkable
class OnBackbone(Protocol):
    """A learner that says what it learns on."""

    backbone: Backbone


def _recomputing(runs: "Sequence[_Run]") -> AbstractContextManager[None]:
    """Where a run asks for it, what is computed within is computed again on the way back."""
    learner = runs[0].lane.learner
    if not any(run.settings.recompute for run in runs):
        return nullcontext()
    assert isinstance(learner, OnBackbone)
    return learner.backbone.frozen.recomputing()


def _step(runs: "Sequence[_Run]") -> int:
    return max(run.moment.step for run in runs)


def _show(runs: "Sequence[_Run]", watch: Watch, seconds_a_step: float) -> None:
    step, steps = _step(runs), max(run.steps for run in runs)
    loss = sum(run.moment.losses[-1] for run in runs if run.moment.losses) / len(runs)
    best = max(run.moment.best_score for run in runs)
    watch.show(Progress(step, steps, loss, best, seconds_a_step * (steps - step)))


def _keep(runs: "Sequence[_Run]", keeper: Checkpoints, watch: Watch) -> None:
    watch.at("before writing")
    tensors = {
        f"{number}.{name}": part
        for number, run in enumerate(runs)
        for name, part in run.tensors().items()
    }
    keeper.save(_step(runs), tensors, {"lanes": [run.facts() for run in runs]})
    watch.at("after writing")


def _restore(runs: "Sequence[_Run]", saved: Checkpoint, watch: Watch) -> None:
    kept = saved.facts["lanes"]
    if len(kept) != len(runs):
        raise MismatchError(
            f"{saved.path} holds {len(kept)} learners trained side by side, not {len(runs)}; "
            "ask for as many, or start a run of another name"
        )
    for number, (run, facts) in enumerate(zip(runs, kept, strict=True)):
        run.restore(facts, _under(f"{number}.", saved.tensors))
    for path in saved.damaged:
        watch.note(f"{path} is damaged; went on from {saved.path.name} instead")


class _Run:
    """The moving parts of one run."""

    def __init__(self, lane: Lane, *, weights: str) -> None:
        learner, rows, settings = lane.learner, lane.rows, lane.settings
        self.lane = lane
        self.settings = settings
        self.made_by = {**fingerprint(settings), "weights": weights}
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.a_pass = -(-len(rows) // settings.batch)  # steps in a pass; length pools cut evenly
        self.steps = self.a_pass * passes(settings, self.a_pass)
        self.between = steps_between_checks(settings, self.a_pass)
        groups: list[dict[str, Any]] = [  # torch's own form
            {"params": group.parameters, "lr": group.learning_rate} for group in learner.groups()
        ]
        self.parameters = [weight for group in groups for weight in group["params"]]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.moment = Moment()
        self.failure = ""
        self.best = _copy(learner.state_dict())
        self._begin_pass()

    @property
    def finished(self) -> bool:
        over = self.moment.step >= self.steps or self.moment.worse >= self.settings.patience
        return over or bool(self.failure)

    @property
    def check_is_due(self) -> bool:
        due = self.moment.step % self.between == 0 or self.moment.step == self.steps
        return due and not self.failure

    def batch(self) -> list[Row]:
        """The rows of the next step."""
        places = self.batches[self.moment.step % self.a_pass]
        return [self.lane.rows[place] for place in places]

    def take(self, loss: float) -> None:
        """Move the parameters by the gradients of a loss; one that is no number ends the run."""
        moment = self.moment
        if not math.isfinite(loss):
            self.failure = (
                f"the loss is {loss} at step {moment.step}; expected a finite number: "
                "lower the learning rate"
            )
            return
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        self.schedule.step()
        self.moment = replace(moment, step=moment.step + 1, losses=(*moment.losses, loss))
        if self.moment.step % self.a_pass == 0:
            self._begin_pass()

    def check(self) -> None:
        """Note a dev score; the best state is kept, the earlier one where two are equal."""
        score = self.lane.score()
        moment = self.moment
        better = score > moment.best_score
        self.moment = replace(
            moment,
            best_score=score if better else moment.best_score,
            best_step=moment.step if better else moment.best_step,
            worse=0 if better else moment.worse + 1,
            scores=(*moment.scores, (moment.step, score)),
        )
        if better:
            self.best = _copy(self.lane.learner.state_dict())

    def tensors(self) -> dict[str, Tensor]:
        """Everything that must survive: parameters, the best, the optimizer, the generator."""
        tensors = {f"now.{name}": part for name, part in self.lane.learner.state_dict().items()}
        tensors |= {f"best.{name}": part for name, part in self.best.items()}
        tensors["generator"] = self.pass_start
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": part for name, part in state.items()}
        return {name: part.detach().contiguous().clone() for name, part in tensors.items()}

    def facts(self) -> dict[str, Any]:
        return {
            "moment": asdict(self.moment),
            "failure": self.failure,
            "made_by": self.made_by,
        }

    def restore(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go back to what a checkpoint kept of this run."""
        refuse_other_maker(facts["made_by"], self.made_by)
        self.moment, self.failure = _moment(facts["moment"]), str(facts["failure"])
        self.lane.learner.load_state_dict(_under("now.", tensors))
        self.best = _under("best.", tensors)
        self._restore_optimizer(_under("optimizer.", tensors))
        self.generator.set_state(tensors["generator"])
        self._begin_pass()

    def end(self) -> Outcome:
        """Set the learner to its best."""
        self.lane.learner.load_state_dict(self.best)
        return Outcome(self.moment, self.steps, self.failure)

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, part in tensors.items():
            number, _, field = name.partition(".")
            state.setdefault(int(number), {})[field] = part
        groups = self.optimizer.state_dict()["param_groups"]
        for group, schedule in zip(groups, self.schedule.base_lrs, strict=True):
            group["lr"] = schedule * self._rate(self.moment.step)
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.schedule.last_epoch = self.moment.step

    def _begin_pass(self) -> None:
        self.pass_start = self.generator.get_state()
        lengths = [len(row.tokens) for row in self.lane.rows]
        self.batches = plan(lengths, self.settings.batch, self.generator)

    def _rate(self, step: int) -> float:
        """Rises over the warm-up, then falls in a straight line to nothing."""
        rise = max(int(self.steps * self.settings.warmup), 1)
        return min((step + 1) / rise, (self.steps - step) / max(self.steps - rise, 1))


def passes(settings: TrainSettings, a_pass: int) -> int:
    """How often the rows are passed over; few rows are passed over more often.

    >>> passes(TrainSettings(), 19), passes(TrainSettings(), 300)
    (22, 4)
    >>> passes(TrainSettings(epochs=1), 19)
    1
    """
    if settings.epochs is not None:
        return settings.epochs
    return max(LEAST_PASSES, -(-LEAST_STEPS // a_pass))


def steps_between_checks(settings: TrainSettings, a_pass: int) -> int:
    """How many steps lie between two dev scores.

    >>> steps_between_checks(TrainSettings(), 19), steps_between_checks(TrainSettings(), 300)
    (25, 150)
    """
    if settings.checks is not None:
        return max(a_pass // settings.checks, 1)
    return max(a_pass // 2, LEAST_BETWEEN)


def fingerprint(settings: TrainSettings) -> dict[str, Any]:
    """What a run's bytes depend on besides its data."""
    return {
        "settings": asdict(settings),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "onednn": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
    }


def refuse_other_maker(saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on where the result could not equal the uninterrupted run's."""
    for name, value in saved.items():
        if now.get(name) != value:
            raise MismatchError(
                f"the run was made with {name} {value!r}, here it is {now.get(name)!r}: "
                "not comparable bit by bit; set it as it was, or start a run of another name"
            )


def _moment(facts: Mapping[str, Any]) -> Moment:
    scores = tuple((int(step), float(score)) for step, score in facts["scores"])
    return Moment(**{**facts, "losses": tuple(facts["losses"]), "scores": scores})


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: part.detach().clone() for name, part in state.items()}


def _under(front: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(front): part for name, part in tensors.items() if name.startswith(front)
    }
