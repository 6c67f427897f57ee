"""A soft method's run, once its prompt and its answer are made: train, and choose the head."""

import torch

from afina.soft.answer import HeadAnswer
from afina.soft.learner import Learner, SoftPrompt
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.task.task import Task
from afina.training.answering import Prepared
from afina.training.checkpoint import Checkpoints
from afina.training.linear_probe import fit_on_dev
from afina.training.scoring import dev_score
from afina.training.train import Outcome, TrainSettings, train
from afina.training.watch import Watch


def tune_soft(
    task: Task,
    learner: Learner,
    prepared: Prepared,
    *,
    settings: TrainSettings,
    keeper: Checkpoints,
    watch: Watch,
) -> tuple[SoftSolver, Outcome]:
    """Train a soft prompt for a task; the solver answers with the best on dev.

    A trained head is set beside heads fitted anew to the features under the trained prompt, as the
    linear probe is fitted to those without one; dev decides.
    """
    outcome = train(
        learner,
        prepared.rows,
        lambda: dev_score(solver_of(learner, prepared), task),
        settings=settings,
        keeper=keeper,
        watch=watch,
    )
    solver = solver_of(learner, prepared)
    if isinstance(prepared.answer, HeadAnswer):
        fitted = fit_on_dev(task, learner.backbone, prepared.reader, prepared.rows, solver.prompt)
        if fitted.score > outcome.moment.best_score:
            solver = solver_with(solver, fitted.answer)
    return solver, outcome


def solver_of(learner: Learner, prepared: Prepared) -> SoftSolver:
    """The solver that the learner is now; a reparametrisation is folded away here."""
    assert isinstance(learner.prompt, SoftPrompt)
    with torch.no_grad():
        prompt = learner.prompt.injection()
    return make_solver(learner.backbone, prepared.reader, prompt=prompt, answer=prepared.answer)


def solver_with(solver: SoftSolver, answer: HeadAnswer) -> SoftSolver:
    """The same prompt with another head."""
    return make_solver(solver.backbone, solver.reader, prompt=solver.prompt, answer=answer)
