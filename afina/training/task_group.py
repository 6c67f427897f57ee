"""Tasks that are trained at once: a shared prompt, and each one's own part, rows and answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from afina.soft.answer import LabelWords, Writing
from afina.soft.multitask import SharedPrompt
from afina.soft.multitask_learner import MultitaskLearner, Rates
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.task.task import Task
from afina.training.answering import AnswerSettings, Prepared, prepare
from afina.training.checkpoint import Checkpoints
from afina.training.linear_probe import fit_on_dev
from afina.training.mixture import mixed
from afina.training.prompt_run import word_size
from afina.training.scoring import dev_score
from afina.training.train import Outcome, TrainSettings, train
from afina.training.watch import Watch


@dataclass(frozen=True)
class Group:
    """How each task is read and answered, and what is trained."""

    tasks: Sequence[Task]
    prepared: Sequence[Prepared]
    learner: MultitaskLearner

    def solver(self, number: int) -> SoftSolver:
        """A task's solver as the learner is now, the rank-one part folded into its prompt."""
        with torch.no_grad():
            prompt = self.learner.prompt.injection(number)
        return make_solver(
            self.learner.backbone,
            self.prepared[number].reader,
            prompt=prompt,
            answer=self.learner.answer(number),
        )

    def best_solver(self, number: int) -> SoftSolver:
        """A task's solver with the trained head, or one fitted anew to its prompt; dev decides."""
        task, prepared, solver = self.tasks[number], self.prepared[number], self.solver(number)
        if isinstance(prepared.answer, LabelWords | Writing):
            return solver
        fitted = fit_on_dev(task, solver.backbone, prepared.reader, prepared.rows, solver.prompt)
        if fitted.score <= dev_score(solver, task):
            return solver
        return make_solver(
            solver.backbone, solver.reader, prompt=solver.prompt, answer=fitted.answer
        )

    def scores(self) -> list[float]:
        """Each task's dev score."""
        return [dev_score(self.solver(number), task) for number, task in enumerate(self.tasks)]

    def score(self) -> float:
        """The mean of the tasks' dev scores."""
        scores = self.scores()
        return sum(scores) / len(scores)


def build(
    tasks: Sequence[Task],
    backbone: Backbone,
    start: Tensor,
    settings: AnswerSettings,
    rates: Rates,
) -> Group:
    """Tasks ready to be trained together from the vectors ``[P, H]`` of a prompt.

    Raises:
        InputError: a target cannot be answered in the way asked for.
        ModelError: no room is left for a text, or an encoder is to write.
    """
    prepared = [prepare(task, backbone, settings, Embeddings(start)) for task in tasks]
    prompt = SharedPrompt(start, tasks=len(tasks), scale=word_size(backbone))
    answers = [each.answer for each in prepared]
    return Group(tasks, prepared, MultitaskLearner(backbone, prompt, answers, rates=rates))


def train_group(
    group: Group,
    loop: TrainSettings,
    temperature: float,
    *,
    keeper: Checkpoints,
    watch: Watch,
) -> Outcome:
    """Train tasks together, in batches that mix them; the learner ends at its best."""
    rows = mixed([each.rows for each in group.prepared], temperature, seed=loop.seed)
    return train(group.learner, rows, group.score, settings=loop, keeper=keeper, watch=watch)
