"""Distillation: a long written prompt becomes a few vectors that make the model say the same.

The examples' answers are not read: rows are answered under the written prompt, and the soft one is
trained to the model's own distributions there (Snell, Klein and Zhong 2022, "Learning by distilling
context", https://arxiv.org/abs/2209.15189). It starts from the written prompt's first words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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
from afina.soft.reading import Likely, Read
from afina.soft.soft_solver import SoftSolver, batches_by_length
from afina.task.example import Example
from afina.task.signature import Choice
from afina.task.task import Task
from afina.training.prefix_run import PrefixSettings, build_prefix
from afina.training.prompt_run import PromptTuningSettings, build_prompt
from afina.training.soft_run import Built
from afina.training.train import TrainSettings


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
class Taught:
    """A task whose answers are the teacher's, and what is likely under its prompt, a row a row."""

    task: Task
    opening: str  # what the written prompt says before a row
    targets: tuple[Tokens, ...]  # the teacher's answers to the training rows
    likely: tuple[Likely, ...]
    labels: tuple[Tokens, ...]  # as the teacher's answers have them; none where it writes
    tokens: float  # of a call under the written prompt, the mean


def build_distilled(taught: Taught, backbone: Backbone, settings: DistillSettings) -> Built:
    """A soft prompt that is to imitate a written one, ready to be trained.

    Raises:
        InputError: the settings are none of those known.
        ModelError: the model takes no such prompt, or there is no room.
    """
    built = _plain(taught, backbone, settings)
    answer = built.prepared.answer
    if isinstance(answer, LabelWords):
        answer = LabelWords(answer.labels, [list(ids) for ids in taught.labels])
    rows = [
        replace(row, target=list(target), marks=found)
        for row, target, found in zip(
            built.prepared.rows, taught.targets, taught.likely, strict=True
        )
    ]
    rates = (settings.rate, settings.rate)
    learner = Learner(backbone, built.learner.prompt, Imitation(), rates=rates)
    return Built(learner, replace(built.prepared, rows=rows, answer=answer), settings.train)


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
    train, dev = answered(teacher, task.train), answered(teacher, task.dev)
    rows = [each.inputs for each in train]
    requests = [
        teacher.request(prompt, row)
        for prompt, row in zip(teacher.prompts(rows), rows, strict=True)
    ]
    tokens = [tokens_of(backbone.frozen, each.messages) for each in requests]
    name = task.signature.target.name
    labels = label_tokens_of(backbone.frozen, requests[0])
    targets = [
        labels[_labels(task).index(str(example.outputs[name]))]
        if labels
        else text_tokens(backbone.frozen, request, str(example.outputs[name]))[:most]
        for example, request in zip(train, requests, strict=True)
    ]
    return Taught(
        replace(task, train=train, dev=dev),
        teacher.prompts(rows[:1])[0].front,
        tuple(targets),
        tuple(likely_under(backbone, tokens, targets)),
        tuple(labels),
        sum(map(len, tokens)) / len(tokens),
    )


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


def _labels(task: Task) -> tuple[str, ...]:
    kind = task.signature.target.type
    return kind.labels if isinstance(kind, Choice) else ()
