"""What training moves: a soft prompt and the way it answers, on a backbone that stays frozen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injection
from afina.soft.answer import Objective
from afina.soft.reading import Read

ROWS = 32  # that fill a pass on a processor: more gain nothing, see benchmarks/together.md


@runtime_checkable
class SoftPrompt(Protocol):
    """A module that makes an injection out of its parameters."""

    def injection(self) -> Injection:
        """What the backbone takes, with gradients to the parameters."""

    def parameters(self) -> Iterable[Tensor]:
        """The trained tensors."""


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate."""

    parameters: list[nn.Parameter]
    learning_rate: float


class Learner(nn.Module):
    """A prompt and what it is trained for; the backbone is held beside them, not as a part."""

    def __init__(
        self,
        backbone: Backbone,
        prompt: nn.Module,
        answer: nn.Module,
        *,
        rates: tuple[float, float],
    ) -> None:
        super().__init__()
        assert isinstance(prompt, SoftPrompt)
        assert isinstance(answer, Objective)
        self.backbone = backbone
        self.prompt = prompt
        self.answer = answer
        self.rates = rates

    def groups(self) -> list[Group]:
        """The prompt's parameters and the head's, each with its rate."""
        prompt, head = list(self.prompt.parameters()), list(self.answer.parameters())
        return [
            Group(parameters, rate)
            for parameters, rate in zip((prompt, head), self.rates, strict=True)
            if parameters
        ]

    def loss(self, rows: Sequence[Read]) -> Tensor:
        """The loss of a batch; the prompt is made once for all its rows."""
        assert isinstance(self.prompt, SoftPrompt)
        assert isinstance(self.answer, Objective)
        injections = [self.prompt.injection()] * len(rows)
        return self.answer.loss(self.answer.gather(self.backbone, rows, injections), rows)


def joint_losses(batches: Sequence[tuple[Learner, Sequence[Read]]]) -> list[Tensor]:
    """Each learner's loss of its batch, the frozen model asked for many of them at once.

    The learners share the model and the kind of answer; each has a prompt and a head of its own.
    """
    losses: dict[int, Tensor] = {}
    device = batches[0][0].backbone.frozen.model.device.type
    room = ROWS if device == "cpu" else sum(len(rows) for _, rows in batches)
    for numbers in _passes([rows for _, rows in batches], room):
        found = _in_one_pass([batches[number] for number in numbers])
        losses |= dict(zip(numbers, found, strict=True))
    return [losses[number] for number in range(len(batches))]


def _passes(batches: Sequence[Sequence[Read]], room: int) -> list[list[int]]:
    """Which batches are read at once: those of like length, so that little is padding.

    No pass takes more rows than there is room for, but where one batch does.
    """
    longest = [max(len(row.tokens) for row in rows) for rows in batches]
    passes: list[list[int]] = []
    free = 0
    for number in sorted(range(len(batches)), key=lambda number: longest[number]):
        if len(batches[number]) > free:
            passes.append([])
            free = room
        passes[-1].append(number)
        free -= len(batches[number])
    return passes


def _in_one_pass(batches: Sequence[tuple[Learner, Sequence[Read]]]) -> list[Tensor]:
    first = batches[0][0]
    assert isinstance(first.answer, Objective)
    rows = [row for _, batch in batches for row in batch]
    injections: list[Injection] = []
    for learner, batch in batches:
        assert isinstance(learner.prompt, SoftPrompt)
        injections += [learner.prompt.injection()] * len(batch)
    gathered = first.answer.gather(first.backbone, rows, injections)
    parts = gathered.split([len(batch) for _, batch in batches])
    losses = []
    for (learner, batch), part in zip(batches, parts, strict=True):
        assert isinstance(learner.answer, Objective)
        losses.append(learner.answer.loss(part, batch))
    return losses
