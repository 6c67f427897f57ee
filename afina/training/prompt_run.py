"""Prompt tuning from a task to a solver: read the rows, start the prompt and the head, train."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.encoder import Encoder
from afina.backbones.injection import Injection
from afina.backbones.words import continuation, label_tokens
from afina.errors import InputError, ModelError
from afina.soft import init
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.learner import Learner
from afina.soft.prompt_tuning import PromptTuning
from afina.soft.reading import Read, Reader, check_written, labelled_rows, labels_of
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.solver import Packed
from afina.task.example import Example
from afina.task.signature import Choice
from afina.task.task import Task
from afina.training.checkpoint import Checkpoints
from afina.training.features import start_head
from afina.training.linear_probe import fit_on_dev
from afina.training.scoring import dev_score
from afina.training.train import Outcome, TrainSettings, train
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


def tune_prompt(
    task: Task,
    backbone: Backbone,
    settings: PromptTuningSettings,
    *,
    keeper: Checkpoints,
    watch: Watch,
    other: Packed | None = None,
) -> tuple[SoftSolver, Outcome]:
    """Train a soft prompt for a task; the solver answers with the best on dev.

    A trained head is set beside heads fitted anew to the features under the trained prompt, as the
    linear probe is fitted to those without one; dev decides.

    ``other`` is another prompt to start from, in place of ``start``.

    Raises:
        InputError: the settings do not fit the task.
        ModelError: the model cannot answer in the way asked for, or has no room.
    """
    prompt = PromptTuning(start_vectors(task, backbone, settings, other), scale=word_size(backbone))
    reader, rows, answer = prepare(task, backbone, settings, prompt.injection())
    learner = Learner(backbone, prompt, answer, rates=(settings.rate, settings.head_rate))

    def solver() -> SoftSolver:
        with torch.no_grad():
            vectors = prompt.injection()
        return make_solver(backbone, reader, prompt=vectors, answer=answer)

    outcome = train(
        learner,
        rows,
        lambda: dev_score(solver(), task),
        settings=settings.train,
        keeper=keeper,
        watch=watch,
    )
    if isinstance(answer, HeadAnswer):
        with torch.no_grad():
            fitted = fit_on_dev(task, backbone, reader, rows, prompt.injection())
        if fitted.score > outcome.moment.best_score:
            answer = fitted.answer
    return solver(), outcome


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


def prepare(
    task: Task, backbone: Backbone, settings: PromptTuningSettings, injection: Injection
) -> tuple[Reader, list[Read], HeadAnswer | LabelWords | Writing]:
    """The reader, the training rows and the way to answer.

    Raises:
        InputError: the target cannot be answered in this way.
        ModelError: no room is left for the text, or an encoder is to write.
    """
    frozen, name = backbone.frozen, task.signature.target.name
    kind = answer_kind(task, backbone, settings)
    tail = "" if kind == "head" else f"\n{name}:"
    labels = () if kind == "text" else labels_of(task.signature)
    words = label_tokens(frozen, tail, labels, task.words) if kind == "words" else []
    ids = frozen.encode(tail) if tail else []
    if isinstance(backbone, Encoder) and tail:
        ids = [*ids, _mask_of(backbone)]
    spare = settings.new_tokens if kind == "text" else max(map(len, words), default=0)
    room = frozen.positions - injection.length - len(frozen.lead) - len(frozen.trail) - spare
    if room <= len(ids):
        raise ModelError(
            f"a prompt of {injection.length} leaves no room for the text: {frozen.name} has "
            f"{frozen.positions} places; shorten the prompt"
        )
    reader = Reader(frozen, task.signature, room, tuple(ids))
    if kind == "text":
        answer = Writing(settings.new_tokens)
        return reader, [_with_text(reader, each, answer.tokens) for each in task.train], answer
    rows = labelled_rows(task, reader, labels)
    if kind == "words":
        return reader, rows, LabelWords(labels, words)
    return (
        reader,
        rows,
        HeadAnswer(
            start_head(backbone, rows, injection, classes=len(labels), strength=settings.probe),
            labels,
        ),
    )


def answer_kind(task: Task, backbone: Backbone, settings: PromptTuningSettings) -> str:
    """head, words or text; encoders answer by a head, models that write by label words.

    Raises:
        InputError: the setting is none of these, or the target cannot be read back from a text.
        ModelError: an encoder is asked to write.
    """
    kind = _asked_kind(task, backbone, settings)
    if kind == "text":
        check_written(task.signature)
        if isinstance(backbone, Encoder):
            raise ModelError(
                f"{backbone.frozen.name} is an encoder and writes no text; "
                "use a decoder or encoder-decoder, or a target that is a choice"
            )
    return kind


def _asked_kind(task: Task, backbone: Backbone, settings: PromptTuningSettings) -> str:
    if settings.answer not in ("auto", "head", "words", "text"):
        raise InputError(f"expected answer auto, head, words or text, got {settings.answer!r}")
    if settings.answer != "auto":
        return settings.answer
    if not isinstance(task.signature.target.type, Choice):
        return "text"
    return "head" if isinstance(backbone, Encoder) else "words"


def _mask_of(backbone: Encoder) -> int:
    mask = backbone.frozen.tokenizer.mask_token_id
    if mask is None or not backbone.frozen.writes:
        raise ModelError(
            f"{backbone.frozen.name} has no masked-language head, so it cannot answer by words; "
            "use answer=head"
        )
    return int(mask)


def _with_text(reader: Reader, example: Example, tokens: int) -> Read:
    """A row and the text wanted of it: the first of several, cut to ``tokens``."""
    frozen, name = reader.frozen, reader.signature.target.name
    wanted = example.outputs[name]
    text = wanted[0] if isinstance(wanted, list) and wanted else wanted
    target = continuation(frozen, f"\n{name}:", str(text))
    end = frozen.tokenizer.eos_token_id
    whole = [*target, *([] if end is None else [end])]
    return replace(reader.read(example.inputs), target=whole[:tokens])
