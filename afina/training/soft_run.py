"""A soft method's run, once its prompt and its answer are made: train, and choose the head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afina.errors import AfinaError
from afina.soft.answer import HeadAnswer
from afina.soft.learner import Learner, SoftPrompt, joint_losses
from afina.soft.number_answer import NumberAnswer
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.soft.token_answer import TokenAnswer
from afina.task.task import Task
from afina.training.answering import Prepared
from afina.training.checkpoint import Checkpoints
from afina.training.head_fit import Headed
from afina.training.linear_probe import fit_on_dev
from afina.training.scoring import dev_score
from afina.training.train import Batches, Lane, Outcome, TrainSettings, train_together
from afina.training.watch import Watch


@dataclass(frozen=True)
class Built:
    """A method's prompt and answer, ready to be trained."""

    learner: Learner
    prepared: Prepared
    settings: TrainSettings


def tune_soft(
    task: Task, built: Built, *, keeper: Checkpoints, watch: Watch
) -> tuple[SoftSolver, Outcome]:
    """Train a soft prompt for a task; the solver answers with the best on dev.

    Raises:
        AfinaError: the loss is no finite number.
    """
    ((solver, outcome),) = tune_together(task, [built], keeper=keeper, watch=watch)
    if outcome.failure:
        raise AfinaError(outcome.failure)
    return solver, outcome


def tune_together(
    task: Task, builts: Sequence[Built], *, keeper: Checkpoints, watch: Watch
) -> list[tuple[SoftSolver, Outcome]]:
    """Train soft prompts of one kind side by side, by one pass a step over one frozen model."""
    lanes = [
        Lane(built.learner, built.prepared.rows, scorer(task, built), built.settings)
        for built in builts
    ]
    outcomes = train_together(lanes, _losses, keeper=keeper, watch=watch)
    return [
        (_with_best_head(task, built, outcome), outcome)
        for built, outcome in zip(builts, outcomes, strict=True)
    ]


def scorer(task: Task, built: Built) -> Callable[[], float]:
    """How a learner does on dev, now."""
    return lambda: dev_score(solver_of(built.learner, built.prepared), task)


def _losses(batches: Batches) -> list[Tensor]:
    learners = [(learner, rows) for learner, rows in batches if isinstance(learner, Learner)]
    assert len(learners) == len(batches)
    return joint_losses(learners)


def _with_best_head(task: Task, built: Built, outcome: Outcome) -> SoftSolver:
    """The solver with the trained head, or with one fitted anew, as the linear probe's is.

    The new one is fitted to the features under the trained prompt; dev decides between the two.
    """
    solver = solver_of(built.learner, built.prepared)
    if not isinstance(built.prepared.answer, HeadAnswer | TokenAnswer | NumberAnswer):
        return solver
    fitted = fit_on_dev(
        task, built.learner.backbone, built.prepared.reader, built.prepared.rows, solver.prompt
    )
    better = fitted.score > outcome.moment.best_score
    return solver_with(solver, fitted.answer) if better else solver


def solver_of(learner: Learner, prepared: Prepared) -> SoftSolver:
    """The solver that the learner is now; a reparametrisation is folded away here."""
    assert isinstance(learner.prompt, SoftPrompt)
    with torch.no_grad():
        prompt = learner.prompt.injection()
    return make_solver(learner.backbone, prepared.reader, prompt=prompt, answer=prepared.answer)


def solver_with(solver: SoftSolver, answer: Headed) -> SoftSolver:
    """The same prompt with another head."""
    return make_solver(solver.backbone, solver.reader, prompt=solver.prompt, answer=answer)
