"""What multitask training moves: a shared prompt, each task's own part of it, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.soft.answer import Answer
from afina.soft.learner import Group
from afina.soft.lesson import Lesson, Weights, distance
from afina.soft.multitask import SharedPrompt
from afina.soft.reading import Read
from afina.soft.saying import Part, Said, gathered, say


@dataclass(frozen=True)
class MultiRead:
    """A row that knows its task, and its place among that task's rows."""

    read: Read
    task: int
    place: int

    @property
    def tokens(self) -> list[int]:
        return self.read.tokens


@dataclass(frozen=True)
class Rates:
    """Learning rates."""

    shared: float  # of the shared prompt, in units of the model's own word vectors
    own: float  # of the tasks' rank-one parts, which are 1 at the start
    head: float  # of the heads


@dataclass(frozen=True)
class Teaching:
    """What the teachers say of each task's rows, and what that counts."""

    lessons: Sequence[Lesson]
    weights: Weights


class MultitaskLearner(nn.Module):
    """A shared prompt with an answer a task; ``teaching`` adds the distance from the teachers."""

    def __init__(
        self,
        backbone: Backbone,
        prompt: SharedPrompt,
        answers: Sequence[nn.Module],
        *,
        rates: Rates,
        teaching: Teaching | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.prompt = prompt
        self.answers = nn.ModuleList(answers)
        self.rates = rates
        self.teaching = teaching

    def groups(self) -> list[Group]:
        """The shared vectors, the tasks' own and the heads', each with its rate."""
        own = [*self.prompt.rows, *self.prompt.columns]
        parts = [([self.prompt.scaled], self.rates.shared), (own, self.rates.own)]
        heads = list(self.answers.parameters())
        return [Group(*part) for part in parts] + ([Group(heads, self.rates.head)] if heads else [])

    def answer(self, task: int) -> Answer:
        """How a task is answered."""
        answer = self.answers[task]
        assert isinstance(answer, Answer)
        return answer

    def loss(self, rows: Sequence[MultiRead]) -> Tensor:
        """The mean of the tasks' losses, weighed by their rows in the batch."""
        tasks = sorted({row.task for row in rows})
        mine = [[row for row in rows if row.task == task] for task in tasks]
        parts = [
            Part(self.answer(task), [row.read for row in own], self.prompt.injection(task))
            for task, own in zip(tasks, mine, strict=True)
        ]
        losses = self._losses(parts, mine)
        return torch.stack(
            [loss * len(own) for loss, own in zip(losses, mine, strict=True)]
        ).sum() / len(rows)

    def _losses(self, parts: Sequence[Part], mine: Sequence[Sequence[MultiRead]]) -> list[Tensor]:
        if self.teaching is None:
            found = gathered(self.backbone, parts)
            return [
                part.answer.loss(own, part.rows) for part, own in zip(parts, found, strict=True)
            ]
        said = say(self.backbone, parts, features=self.teaching.weights.features > 0)
        return [
            part.answer.loss(each.gathered, part.rows) + self._apart(self.teaching, each, own)
            for part, each, own in zip(parts, said, mine, strict=True)
        ]

    def _apart(self, teaching: Teaching, said: Said, rows: Sequence[MultiRead]) -> Tensor:
        teacher = teaching.lessons[rows[0].task].at([row.place for row in rows])
        return distance(said.lesson, teacher, teaching.weights)
