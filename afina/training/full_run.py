"""The yardstick above: full fine-tuning, every weight of a copy of the model trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.errors import ArtefactError, ModelError
from afina.soft.answer import Answer
from afina.soft.learner import Group
from afina.soft.packed_arrays import finite
from afina.soft.reading import Read
from afina.soft.soft_solver import SoftSolver, make_solver, unpack
from afina.solver import Packed, Prediction, Values
from afina.task.task import Task
from afina.training.answering import prepare
from afina.training.checkpoint import Checkpoints
from afina.training.scoring import dev_score
from afina.training.train import Outcome, TrainSettings, train
from afina.training.watch import Watch


@dataclass(frozen=True)
class FullSettings:
    """What full fine-tuning does."""

    rate: float = 0.0  # learning rate of the model's weights; 0: by its width
    head_rate: float = 1e-3  # learning rate of the head
    probe: float = 0.01  # strength (C) of the logistic regression the head starts from
    answer: str = "auto"  # head | words | text; auto: what the model and the target suggest
    new_tokens: int = 64  # longest text written
    train: TrainSettings = field(default_factory=lambda: TrainSettings(epochs=4, save_every=10**9))


class WholeLearner(nn.Module):
    """The model itself and the way it answers."""

    def __init__(self, backbone: Backbone, answer: nn.Module, settings: FullSettings) -> None:
        super().__init__()
        assert isinstance(answer, Answer)
        self.model = backbone.frozen.model.requires_grad_(True)
        self.backbone = backbone
        self.answer = answer
        self.settings = settings

    def groups(self) -> list[Group]:
        """The model's weights and the head's, if it has one, each with its rate."""
        assert isinstance(self.answer, nn.Module)
        head = list(self.answer.parameters())
        return [
            Group(list(self.model.parameters()), self.settings.rate or rate_of(self.backbone)),
            *([Group(head, self.settings.head_rate)] if head else []),
        ]

    def loss(self, rows: Sequence[Read]) -> Tensor:
        assert isinstance(self.answer, Answer)
        return self.answer.loss(self.answer.gather(self.backbone, rows, [None] * len(rows)), rows)


def rate_of(backbone: Backbone) -> float:
    """5e-5 for models 768 wide, and for others by the square of their width (docs/log.md).

    That is what Devlin et al. 2019, https://arxiv.org/abs/1810.04805, found good for BERT; never
    above 2e-3, the highest that was tried.
    """
    return min(2e-3, 5e-5 * (768 / backbone.frozen.hidden) ** 2)


@dataclass(frozen=True)
class WholeSolver:
    """A fine-tuned model with its head; ``base`` is the digest of the weights it began from."""

    inner: SoftSolver
    base: str

    @property
    def parameters(self) -> int:
        model = self.inner.backbone.frozen.model
        return self.inner.parameters + int(sum(weight.numel() for weight in model.parameters()))

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row."""
        return self.inner(inputs)

    def pack(self) -> Packed:
        """The head, and all weights of the model."""
        packed, model = self.inner.pack(), self.inner.backbone.frozen.model
        weights = {f"model.{name}": part.cpu().numpy() for name, part in model.state_dict().items()}
        settings = {**packed.settings, "digest": self.base}
        return Packed("whole", settings, {**packed.arrays, **weights})


def fine_tune(
    task: Task, backbone: Backbone, settings: FullSettings, *, keeper: Checkpoints, watch: Watch
) -> tuple[WholeSolver, Outcome]:
    """Train all weights of a backbone that is the caller's own copy.

    Raises:
        InputError: the target cannot be answered in this way, or the examples do not fit it.
        ModelError: the weights are quantised, or an encoder is to write.
    """
    frozen = backbone.frozen
    if getattr(frozen.model, "is_quantized", False):
        raise ModelError(
            f"the weights of {frozen.name} are quantised and cannot move; fine-tune the model as "
            "it is, or tune a prompt"
        )
    base = digest_of(frozen.model)
    prepared = prepare(task, backbone, settings, None)
    learner = WholeLearner(backbone, prepared.answer, settings)
    solver = make_solver(backbone, prepared.reader, prompt=None, answer=prepared.answer)
    outcome = train(
        learner,
        prepared.rows,
        lambda: dev_score(solver, task),
        settings=settings.train,
        keeper=keeper,
        watch=watch,
    )
    learner.requires_grad_(False)
    return WholeSolver(solver, base), outcome


def unpack_whole(packed: Packed, backbone: Backbone) -> WholeSolver:
    """The solver that was packed; the backbone is the caller's own copy and takes its weights.

    Raises:
        MismatchError: the backbone is another.
        ArtefactError: weights are missing, of the wrong shape or no numbers.
    """
    rest = {name: part for name, part in packed.arrays.items() if not name.startswith("model.")}
    inner = unpack(Packed("soft", packed.settings, rest), backbone)
    weights = {
        name.removeprefix("model."): part
        for name, part in finite(packed).items()
        if name.startswith("model.")
    }
    try:
        backbone.frozen.model.load_state_dict(weights)
    except RuntimeError as error:
        raise ArtefactError("the bundle's weights do not fit the model; tune it anew") from error
    return WholeSolver(inner, str(packed.settings["digest"]))
