"""The training loop: few parameters, a frozen model, and a run that can be killed at any point."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
import transformers
from torch import Tensor

from afina.errors import AfinaError, MismatchError
from afina.soft.learner import Group
from afina.soft.reading import Read
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
class Trainable(Protocol):
    """A module with a loss and groups of parameters."""

    def groups(self) -> list[Group]:
        """Parameters with their learning rates."""

    def loss(self, rows: Sequence[Read]) -> Tensor:
        """The loss of a batch, a scalar."""

    def state_dict(self) -> dict[str, Tensor]:
        """All tensors that training moves."""

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take tensors back."""


@dataclass(frozen=True)
class Outcome:
    """How a run went: the curve, the dev scores and where the best was."""

    moment: Moment
    steps: int


def train(
    learner: Trainable,
    rows: Sequence[Read],
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
    """
    run = _Run(learner, rows, settings, weights=keeper.weights)
    saved = keeper.load()
    if saved is None:
        run.check(score())
        _keep(run, keeper, watch)
    else:
        run.restore(saved)
        for path in saved.damaged:
            watch.note(f"{path} is damaged; went on from {saved.path.name} instead")
    clock, first = time.monotonic(), run.moment.step
    while not run.finished:
        reason = watch.stop()
        if reason is not None:
            _keep(run, keeper, watch)
            raise reason
        watch.at("before step")
        loss = run.advance()
        step = run.moment.step
        due = run.check_is_due
        if due:
            run.check(score())
        if due or step % settings.save_every == 0:
            _keep(run, keeper, watch)
        left = (time.monotonic() - clock) / (step - first) * (run.steps - step)
        watch.show(Progress(step, run.steps, loss, run.moment.best_score, left))
    watch.at("after the last step")
    learner.load_state_dict(run.best)
    return Outcome(run.moment, run.steps)


def _keep(run: "_Run", keeper: Checkpoints, watch: Watch) -> None:
    watch.at("before writing")
    keeper.save(run.moment.step, run.tensors(), run.facts())
    watch.at("after writing")


class _Run:
    """The moving parts of one run."""

    def __init__(
        self, learner: Trainable, rows: Sequence[Read], settings: TrainSettings, *, weights: str
    ) -> None:
        self.learner = learner
        self.rows = rows
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
        self.best = _copy(learner.state_dict())
        self._begin_pass()

    @property
    def finished(self) -> bool:
        return self.moment.step >= self.steps or self.moment.worse >= self.settings.patience

    @property
    def check_is_due(self) -> bool:
        return self.moment.step % self.between == 0 or self.moment.step == self.steps

    def advance(self) -> float:
        """One step; its loss."""
        batch = self.batches[self.moment.step % self.a_pass]
        loss = self.learner.loss([self.rows[place] for place in batch])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        self.schedule.step()
        value = float(loss.detach())
        moment = self.moment
        if not math.isfinite(value):
            raise AfinaError(
                f"the loss is {value} at step {moment.step}; expected a finite number: "
                "lower the learning rate"
            )
        self.moment = replace(moment, step=moment.step + 1, losses=(*moment.losses, value))
        if self.moment.step % self.a_pass == 0:
            self._begin_pass()
        return value

    def check(self, score: float) -> None:
        """Note a dev score; the best state is kept, the earlier one where two are equal."""
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
            self.best = _copy(self.learner.state_dict())

    def tensors(self) -> dict[str, Tensor]:
        """Everything that must survive: parameters, the best, the optimizer, the generator."""
        tensors = {f"now.{name}": part for name, part in self.learner.state_dict().items()}
        tensors |= {f"best.{name}": part for name, part in self.best.items()}
        tensors["generator"] = self.pass_start
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": part for name, part in state.items()}
        return {name: part.detach().contiguous().clone() for name, part in tensors.items()}

    def facts(self) -> dict[str, Any]:
        return {"moment": asdict(self.moment), "made_by": self.made_by}

    def restore(self, saved: Checkpoint) -> None:
        """Go back to a checkpoint."""
        refuse_other_maker(saved.facts["made_by"], self.made_by)
        self.moment = _moment(saved.facts["moment"])
        self.learner.load_state_dict(_under("now.", saved.tensors))
        self.best = _under("best.", saved.tensors)
        self._restore_optimizer(_under("optimizer.", saved.tensors))
        self.generator.set_state(saved.tensors["generator"])
        self._begin_pass()

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
        lengths = [len(row.tokens) for row in self.rows]
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
