"""Distillation: a long written prompt becomes a few vectors that make the model say the same.

The examples' answers are not read: rows are answered under the written prompt, and the soft one is
trained to the model's own distributions there (Snell, Klein and Zhong 2022, "Learning by distilling
context", https://arxiv.org/abs/2209.15189). It starts from the written prompt's first words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from afina.backbones.backbone import Backbone
from afina.backbones.chat import label_tokens_of, tokens_of
from afina.backbones.decoder import Decoder
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Injections
from afina.backbones.shared_beginning import Beginnings
from afina.backbones.words import continuation
from afina.errors import InputError
from afina.hard.prompt_solver import PromptSolver
from afina.lm.request import Request
from afina.soft.answer import LabelWords
from afina.soft.imitation import Imitation, likely
from afina.soft.learner import Learner
from afina.soft.reading import Likely, Read, Reading
from afina.soft.soft_solver import SoftSolver, batches_by_length
from afina.task.example import Example
from afina.task.signature import Choice
from afina.task.task import Task
from afina.training.answering import Prepared
from afina.training.checkpoint import Checkpoints
from afina.training.prefix_run import PrefixSettings, build_prefix
from afina.training.prompt_run import PromptTuningSettings, build_prompt
from afina.training.soft_run import Built, solver_of
from afina.training.train import Outcome, TrainSettings, train
from afina.training.watch import Watch


@dataclass(frozen=True)
class DistillSettings:
    """Which written prompt becomes vectors, and how."""

    teacher: str = "few-shot"  # a method that writes a prompt, or the folder of its run
    prompt: str = "prefix"  # prefix | vectors: in every layer, or in front of the text alone
    length: int = 20  # places that the soft prompt takes, 1 upward
    network: str = "none"  # none | mlp: what a prefix is trained through
    rate: float = 0.1  # learning rate, in units of what the model has at these places
    new_tokens: int = 64  # longest text written
    train: TrainSettings = field(default_factory=TrainSettings)


@dataclass(frozen=True)
class Lesson:
    """Rows with the teacher's answers, and what is likely under its prompt where they stand."""

    examples: tuple[Example, ...]
    targets: tuple[Tokens, ...]
    likely: tuple[Likely, ...]


@dataclass(frozen=True)
class Taught:
    """What a written prompt teaches of a task."""

    task: Task  # its examples with the teacher's answers
    opening: str  # what the written prompt says before a row
    train: Lesson
    dev: Lesson
    labels: tuple[Tokens, ...]  # as the teacher's answers have them; none where it writes
    tokens: float  # of a call under the written prompt, the mean


def tune_distilled(
    taught: Taught,
    backbone: Backbone,
    settings: DistillSettings,
    *,
    keeper: Checkpoints,
    watch: Watch,
) -> tuple[SoftSolver, Outcome]:
    """Train a soft prompt to imitate a written one; the nearest to it on dev is kept.

    Raises:
        InputError: the settings are none of those known.
        ModelError: the model takes no such prompt, or there is no room.
        AfinaError: the loss is no finite number.
    """
    built = _plain(taught, backbone, settings)
    reader, answer = built.prepared.reader, built.prepared.answer
    if isinstance(answer, LabelWords):
        answer = LabelWords(answer.labels, [list(ids) for ids in taught.labels])
    rates = (settings.rate, settings.rate)
    learner = Learner(backbone, built.learner.prompt, Imitation(), rates=rates)
    rows, dev = rows_of(taught.train, reader), rows_of(taught.dev, reader)
    outcome = train(
        learner,
        rows,
        lambda: -distance(learner, dev),
        settings=settings.train,
        keeper=keeper,
        watch=watch,
    )
    return solver_of(learner, Prepared(reader, rows, answer)), outcome


def rows_of(lesson: Lesson, reader: Reading) -> list[Read]:
    """A lesson's rows as the soft prompt's model reads them."""
    return [
        replace(reader.read(example.inputs), target=list(target), marks=found)
        for example, target, found in zip(
            lesson.examples, lesson.targets, lesson.likely, strict=True
        )
    ]


def distance(learner: Learner, rows: Sequence[Read]) -> float:
    """The divergence from the teacher, the mean over the places of all answers."""
    total = 0.0
    with torch.no_grad():
        for places in batches_by_length(rows):
            batch = [rows[place] for place in places]
            total += float(learner.loss(batch)) * sum(len(row.target) for row in batch)
    return total / sum(len(row.target) for row in rows)


def _plain(taught: Taught, backbone: Backbone, settings: DistillSettings) -> Built:
    """The soft prompt as its own method would begin with it, from the written one's words."""
    answer = "words" if taught.labels else "text"
    match settings.prompt:
        case "prefix":
            prefix = PrefixSettings(
                length=settings.length,
                start="text",
                text=taught.opening,
                network=settings.network,
                answer=answer,
                rate=settings.rate,
                new_tokens=settings.new_tokens,
                train=settings.train,
            )
            return build_prefix(taught.task, backbone, prefix)
        case "vectors":
            vectors = PromptTuningSettings(
                length=settings.length,
                start="text",
                text=taught.opening,
                answer=answer,
                rate=settings.rate,
                new_tokens=settings.new_tokens,
                train=settings.train,
            )
            return build_prompt(taught.task, backbone, vectors)
    raise InputError(f"expected prompt prefix or vectors, got {settings.prompt!r}")


def taught_by(teacher: PromptSolver, task: Task, backbone: Backbone, *, most: int) -> Taught:
    """What a written prompt teaches of a task's rows; the answers wanted of them are not read.

    Of a written answer the first ``most`` tokens are imitated.

    Raises:
        InputError: the prompt says nothing before a row, or answered no row in a way that can be
            read.
    """
    check_teacher(teacher)
    labels = label_tokens_of(backbone.frozen, requests_of(teacher, task.train[:1])[0])
    train_rows, dev_rows = (
        lesson(teacher, task, examples, backbone, labels=labels, most=most)
        for examples in (task.train, task.dev)
    )
    requests = requests_of(teacher, train_rows.examples)
    lengths = [len(tokens_of(backbone.frozen, each.messages)) for each in requests]
    return Taught(
        replace(task, train=train_rows.examples, dev=dev_rows.examples),
        teacher.prompts([train_rows.examples[0].inputs])[0].front,
        train_rows,
        dev_rows,
        tuple(labels),
        sum(lengths) / len(lengths),
    )


def lesson(
    teacher: PromptSolver,
    task: Task,
    examples: Sequence[Example],
    backbone: Backbone,
    *,
    labels: Sequence[Tokens],
    most: int,
) -> Lesson:
    """What is said of some rows under the teacher's prompt.

    Raises:
        InputError: nothing that can be read.
    """
    told = answered(teacher, examples)
    requests = requests_of(teacher, told)
    tokens = [tokens_of(backbone.frozen, each.messages) for each in requests]
    name, kind = task.signature.target.name, task.signature.target.type
    if isinstance(kind, Choice):
        targets = [labels[kind.labels.index(str(each.outputs[name]))] for each in told]
    else:
        targets = [
            text_tokens(backbone.frozen, request, str(each.outputs[name]))[:most]
            for each, request in zip(told, requests, strict=True)
        ]
    found = likely_under(backbone, tokens, targets)
    return Lesson(told, tuple(targets), tuple(found))


def requests_of(teacher: PromptSolver, examples: Sequence[Example]) -> list[Request]:
    """What the teacher asks for each row."""
    rows = [each.inputs for each in examples]
    return [
        teacher.request(prompt, row)
        for prompt, row in zip(teacher.prompts(rows), rows, strict=True)
    ]


def check_teacher(teacher: PromptSolver) -> None:
    """Refuse a prompt with several outputs, of which a soft prompt could learn the last alone.

    Raises:
        InputError: it has.
    """
    outputs = [each.name for each in teacher.prompt.signature.outputs]
    if len(outputs) > 1:
        raise InputError(
            f"expected a teacher that answers at once, got one that writes {', '.join(outputs)}; "
            "distil a prompt without steps between"
        )


def answered(teacher: PromptSolver, examples: Sequence[Example]) -> tuple[Example, ...]:
    """Examples with the teacher's answers; those that it has no answer to are left out.

    Raises:
        InputError: none is left.
    """
    found = teacher([each.inputs for each in examples])
    kept = tuple(
        replace(example, outputs=dict(prediction.outputs))
        for example, prediction in zip(examples, found, strict=True)
        if prediction.outputs is not None
    )
    if not kept:
        raise InputError(
            f"expected answers of the teacher to imitate, got none of {len(found)} that can be "
            f"read: {found[0].reason if found else 'there are no rows'}"
        )
    return kept


def text_tokens(frozen: Frozen, request: Request, text: str) -> list[int]:
    """A written answer's ids as they stand behind a request, with the token that ends it."""
    end = frozen.tokenizer.eos_token_id
    plain = frozen.tokenizer.chat_template is None
    last = request.messages[-1].content
    ids = continuation(frozen, last, text) if plain else frozen.encode(text)
    return [*ids, *([] if end is None else [end])]


def likely_under(
    backbone: Backbone, rows: Sequence[Tokens], targets: Sequence[Tokens]
) -> list[Likely]:
    """What is likely at the targets of whole requests; what all begin with is read once."""
    begun, ready = 0, None
    if isinstance(backbone, Decoder):
        begun, ready = Beginnings(backbone).of(rows)
    rests = [Read([*row[begun:]]) for row in rows]
    found: dict[int, Likely] = {}
    for places in batches_by_length(rests):
        injections: Injections = [ready] * len(places)
        batch = likely(
            backbone,
            [rests[place].tokens for place in places],
            [targets[place] for place in places],
            injections,
        )
        found |= zip(places, batch, strict=True)
    return [found[place] for place in range(len(rows))]


def tokens_saved(solver: SoftSolver, taught: Taught) -> dict[str, object]:
    """The mean tokens of a call under either prompt, and how many the soft one saves."""
    reads = [solver.reader.read(each.inputs) for each in taught.task.train]
    own = sum(map(solver.tokens, reads)) / len(reads)
    return {
        "teacher_tokens_a_call": round(taught.tokens, 1),
        "tokens_a_call": round(own, 1),
        "tokens_saved_a_call": round(taught.tokens - own, 1),
    }
