"""Prompt tuning from a task to a solver: read the rows, start the prompt and the head, train."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.errors import InputError
from afina.soft import init
from afina.soft.learner import Learner
from afina.soft.prompt_tuning import PromptTuning
from afina.soft.reading import labels_of
from afina.soft.soft_solver import SoftSolver
from afina.solver import Packed
from afina.task.task import Task
from afina.training.answering import prepare
from afina.training.checkpoint import Checkpoints
from afina.training.soft_run import Built, tune_soft
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch


@dataclass(frozen=True)
class PromptTuningSettings:
    """What prompt tuning trains, and from where."""

    length: int = 20  # trained vectors, 1 upward
    start: str = "vocabulary"  # labels | text | vocabulary | the folder of another run
    text: str = ""  # what start=text begins from; empty: the task's instruction
    answer: str = "auto"  # head | words | text; auto: what the model and the target suggest
    rate: float = 0.3  # learning rate of the vectors, in units of the model's own word vectors
    head_rate: float = 0.005  # learning rate of the head
    probe: float = 0.01  # strength (C) of the logistic regression the head starts from
    new_tokens: int = 64  # longest text written
    train: TrainSettings = field(default_factory=TrainSettings)


def build_prompt(
    task: Task, backbone: Backbone, settings: PromptTuningSettings, other: Packed | None = None
) -> Built:
    """The vectors of a soft prompt and the way it answers, ready to be trained.

    ``other`` is another prompt to start from, in place of ``start``.

    Raises:
        InputError: the settings do not fit the task.
        ModelError: the model cannot answer in the way asked for, or has no room.
    """
    prompt = PromptTuning(start_vectors(task, backbone, settings, other), scale=word_size(backbone))
    prepared = prepare(task, backbone, settings, prompt.injection())
    learner = Learner(backbone, prompt, prepared.answer, rates=(settings.rate, settings.head_rate))
    return Built(learner, prepared, settings.train)


def tune_prompt(
    task: Task,
    backbone: Backbone,
    settings: PromptTuningSettings,
    *,
    keeper: Checkpoints,
    watch: Watch,
    other: Packed | None = None,
) -> tuple[SoftSolver, Outcome]:
    """Train the vectors of a soft prompt for a task."""
    built = build_prompt(task, backbone, settings, other)
    return tune_soft(task, built, keeper=keeper, watch=watch)


def start_vectors(
    task: Task, backbone: Backbone, settings: PromptTuningSettings, other: Packed | None
) -> Tensor:
    """The vectors ``[P, H]`` a prompt starts from.

    Raises:
        InputError: the length is below 1, or the start is none of those known.
    """
    frozen, length = backbone.frozen, settings.length
    if length < 1:
        raise InputError(f"expected a prompt of 1 vector or more, got length {length}")
    if other is not None:
        return init.from_prompt(frozen, other, length)
    match settings.start:
        case "labels":
            return init.from_labels(frozen, labels_of(task.signature), length)
        case "text":
            return init.from_text(frozen, settings.text or task.signature.instruction, length)
        case "vocabulary":
            generator = torch.Generator().manual_seed(settings.train.seed)
            return init.from_vocabulary(frozen, length, generator)
    raise InputError(f"expected start {', '.join(init.STARTS)} or a run, got {settings.start!r}")


def word_size(backbone: Backbone) -> float:
    """Root mean square of the model's word vectors."""
    table = backbone.frozen.model.get_input_embeddings().weight
    return float(table.detach().float().pow(2).mean().sqrt())
