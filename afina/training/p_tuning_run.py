"""P-tuning from a task to a solver: lay out the template, start its vectors, train."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.decoder import Decoder
from afina.backbones.encoder import Encoder
from afina.backbones.injection import Injection
from afina.backbones.projection import answer_vectors
from afina.backbones.words import continuation
from afina.errors import InputError, ModelError
from afina.soft.answer import Writing
from afina.soft.learner import Learner
from afina.soft.p_tuning import NETWORKS, FreeChange, NetworkChange, PTuning
from afina.soft.reading import Read, check_written, labelled_rows, labels_of
from afina.soft.template import Template, check_answer_place, check_signature
from afina.soft.template_reading import TemplateReader
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer
from afina.solver import Packed
from afina.task.signature import Choice, Integer, Number, Spans
from afina.task.task import Task
from afina.training.answering import Prepared, prepare
from afina.training.head_fit import Headed, fitter
from afina.training.prompt_run import PromptTuningSettings, start_vectors, word_size
from afina.training.soft_run import Built
from afina.training.train import TrainSettings

ANSWERS = ("head", "words", "calibrated", "learned", "text")


@dataclass(frozen=True)
class PTuningSettings:
    """What P-tuning trains, and from where."""

    template: str = ""  # such as {p:3} {review} {p:2} It was {mask} .; empty: one for the model
    length: int = 20  # vectors of that one, half in front of the inputs and half behind
    network: str = "lstm"  # lstm | mlp | none: what the vectors are trained through
    hidden: int = 256  # width of the network
    start: str = "vocabulary"  # labels | text | vocabulary | the folder of another run
    text: str = ""  # what start=text begins from; empty: the task's instruction
    answer: str = (
        "auto"  # head | words | calibrated | learned | text; auto: what the model suggests
    )
    rate: float = 0.1  # learning rate of the vectors, in units of the model's own word vectors
    head_rate: float = 0.005  # learning rate of the head, or of a learned verbalizer
    probe: float = 0.01  # strength (C) of the logistic regression the head starts from
    new_tokens: int = 64  # longest text written
    train: TrainSettings = field(default_factory=TrainSettings)


def build_p(
    task: Task, backbone: Backbone, settings: PTuningSettings, other: Packed | None = None
) -> Built:
    """The vectors of a template and the way it answers, ready to be trained.

    ``other`` is another prompt to start from, in place of ``start``.

    Raises:
        InputError: the template or another setting does not fit the task or the model.
        ModelError: the model cannot answer in the way asked for, or has no room.
    """
    kind = answer_kind(task, backbone, settings)
    if kind == "head" and isinstance(task.signature.target.type, Spans):
        return build_in_front(task, backbone, settings, other)
    reader = reader_for(task, backbone, settings, kind)
    prompt = make_p_tuning(task, backbone, settings, reader.template.length, other)
    rows = rows_for(task, reader, kind, settings)
    answer = answer_for(task, backbone, settings, reader, rows, kind, prompt.injection())
    learner = Learner(backbone, prompt, answer, rates=(settings.rate, settings.head_rate))
    return Built(learner, Prepared(reader, rows, answer), settings.train)


def build_in_front(
    task: Task, backbone: Backbone, settings: PTuningSettings, other: Packed | None
) -> Built:
    """The same where a head tags words or finds spans, which may take several windows.

    Each window is the text alone, so the vectors stand in front of it, without a template.

    Raises:
        InputError: there is a template.
        ModelError: there is no room for the text.
    """
    if settings.template:
        raise InputError(
            f"expected no template for {str(task.signature.target)!r}, got {settings.template!r}: "
            "its vectors stand in front of the text; leave it out and set length"
        )
    prompt = make_p_tuning(task, backbone, settings, settings.length, other, anywhere=False)
    prepared = prepare(task, backbone, replace(settings, answer="head"), prompt.injection())
    rates = (settings.rate, settings.head_rate)
    return Built(Learner(backbone, prompt, prepared.answer, rates=rates), prepared, settings.train)


def answer_kind(task: Task, backbone: Backbone, settings: PTuningSettings) -> str:
    """head, words, calibrated, learned or text.

    A masked language model fills its mask with the labels' words, where each is one token, or is
    read there by a learned verbalizer; an encoder without such a head gets one of ours.

    Raises:
        InputError: the setting is none of these, or the target cannot be answered in this way.
        ModelError: the model cannot answer in this way.
    """
    kind, target = settings.answer, task.signature.target.type
    if kind not in ("auto", *ANSWERS):
        raise InputError(f"expected answer auto, {', '.join(ANSWERS)}, got {kind!r}")
    if kind == "auto":
        kind = suggested(task, backbone)
    if kind == "text":
        check_written(task.signature)
    elif kind != "head" or not isinstance(target, Number | Integer | Spans):
        labels_of(task.signature)
    check_model(backbone, kind)
    return kind


def suggested(task: Task, backbone: Backbone) -> str:
    """How this model answers such a target where nothing is asked for."""
    match task.signature.target.type:
        case Number() | Integer():
            return "head"
        case Spans(labels) if labels or isinstance(backbone, Encoder):
            return "head"
        case Choice() if not isinstance(backbone, Encoder):
            return "words"
        case Choice(labels):
            frozen = backbone.frozen
            if not frozen.writes or frozen.tokenizer.mask_token_id is None:
                return "head"
            words = [word for each in label_words(task, labels) for word in each]
            short = all(len(continuation(frozen, "a", word)) == 1 for word in words)
            return "words" if short else "learned"
    return "text"


def check_model(backbone: Backbone, kind: str) -> None:
    """Refuse an encoder what it cannot do."""
    if not isinstance(backbone, Encoder) or kind == "head":
        return
    frozen = backbone.frozen
    if kind == "text":
        raise ModelError(
            f"{frozen.name} is an encoder and writes no text; "
            "use a decoder or encoder-decoder, or a target that is a choice"
        )
    if frozen.tokenizer.mask_token_id is None or (kind != "learned" and not frozen.writes):
        raise ModelError(
            f"{frozen.name} has no masked-language head, so it cannot answer by words; "
            "use answer=head"
        )


def reader_for(
    task: Task, backbone: Backbone, settings: PTuningSettings, kind: str
) -> TemplateReader:
    """The reader by the template that was given, or by one for the model.

    Raises:
        InputError: the template does not fit the task, the model or the answer.
        ModelError: it leaves no room for the text.
    """
    frozen = backbone.frozen
    text = settings.template or default_template(task, backbone, kind, settings.length)
    template = Template.parse(text)
    check_signature(template, task.signature)
    fills_mask = isinstance(backbone, Encoder)
    check_answer_place(template, fills_mask=fills_mask, by_words=kind != "head")
    if not template.length:
        raise InputError(
            f"expected vectors to train in the template {text!r}, got none; put {{p:10}} into it"
        )
    room = frozen.positions - len(frozen.lead) - len(frozen.trail)
    reader = TemplateReader(frozen, task.signature, room, template)
    return replace(reader, room=room - spare_places(task, backbone, settings, reader, kind))


def spare_places(
    task: Task, backbone: Backbone, settings: PTuningSettings, reader: TemplateReader, kind: str
) -> int:
    """How many places of a row the answer takes."""
    if kind == "text":
        return settings.new_tokens
    if kind in ("words", "calibrated") and isinstance(backbone, Decoder):
        return max(len(word) for each in answer_words(task, reader) for word in each)
    return 0


def default_template(task: Task, backbone: Backbone, kind: str, length: int) -> str:
    """Vectors on both sides of the inputs, and where words answer the target's name.

    Raises:
        InputError: the length is below 1.
    """
    if length < 1:
        raise InputError(f"expected 1 vector or more, got length {length}")
    names = [each.name for each in task.signature.inputs]
    inputs = (
        f"{{{names[0]}}}" if len(names) == 1 else "\n".join(f"{name}: {{{name}}}" for name in names)
    )
    behind = f" {{p:{length // 2}}}" if length > 1 else ""
    body = f"{{p:{length - length // 2}}} {inputs}{behind}"
    if kind == "head":
        return body
    name = task.signature.target.name
    return f"{body} {name}: {{mask}} ." if isinstance(backbone, Encoder) else f"{body}\n{name}:"


def make_p_tuning(
    task: Task,
    backbone: Backbone,
    settings: PTuningSettings,
    length: int,
    other: Packed | None,
    *,
    anywhere: bool = True,
) -> PTuning:
    """The vectors before their first step.

    Raises:
        InputError: the start or the network is none of those known.
    """
    given = PromptTuningSettings(
        length=length, start=settings.start, text=settings.text, train=settings.train
    )
    start, size = start_vectors(task, backbone, given, other), word_size(backbone)
    return PTuning(start, change_for(start / size, settings), size=size, anywhere=anywhere)


def change_for(inputs: Tensor, settings: PTuningSettings) -> NetworkChange | FreeChange:
    """What is trained.

    Raises:
        InputError: the network is none of those known, or has no width.
    """
    if settings.network not in NETWORKS:
        raise InputError(f"expected network {', '.join(NETWORKS)}, got {settings.network!r}")
    if settings.network == "none":
        return FreeChange((inputs.shape[0], inputs.shape[1]))
    if settings.hidden < 1:
        raise InputError(f"expected a network 1 wide or more, got hidden {settings.hidden}")
    return NetworkChange(
        inputs,
        hidden=settings.hidden,
        reads_along=settings.network == "lstm",
        generator=torch.Generator().manual_seed(settings.train.seed),
    )


def rows_for(
    task: Task, reader: TemplateReader, kind: str, settings: PTuningSettings
) -> list[Read]:
    """The training rows with what is wanted of each."""
    if isinstance(task.signature.target.type, Choice) and kind != "text":
        return labelled_rows(task, reader, labels_of(task.signature))
    name = task.signature.target.name
    rows = [(reader.read(each.inputs), each.outputs[name]) for each in task.train]
    if kind == "head":
        return [replace(row, number=float(str(value))) for row, value in rows]
    end = reader.frozen.tokenizer.eos_token_id
    ending = [] if end is None else [end]
    wanted = [value[0] if isinstance(value, list) and value else value for _, value in rows]
    targets = [[*reader.answer(str(value)), *ending][: settings.new_tokens] for value in wanted]
    return [replace(row, target=target) for (row, _), target in zip(rows, targets, strict=True)]


def answer_for(
    task: Task,
    backbone: Backbone,
    settings: PTuningSettings,
    reader: TemplateReader,
    rows: Sequence[Read],
    kind: str,
    injection: Injection,
) -> Headed | Verbalizer | LearnedVerbalizer | Writing:
    """The way to answer, as it starts."""
    if kind == "head":
        return fitter(task.signature.target.type, backbone, rows, injection)(settings.probe)
    if kind == "text":
        return Writing(settings.new_tokens)
    labels, words = labels_of(task.signature), answer_words(task, reader)
    if kind == "learned":
        vectors = word_vectors(backbone, words)
        return LearnedVerbalizer(labels, vectors, scale=float(vectors.pow(2).mean().sqrt()))
    if isinstance(backbone, Encoder):
        check_short(task, reader, words)
    return Verbalizer(labels, words, empty=reader.empty() if kind == "calibrated" else None)


def label_words(task: Task, labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each label's words; a label without any is its own word."""
    return [(task.words.get(label, label), *task.further_words.get(label, ())) for label in labels]


def answer_words(task: Task, reader: TemplateReader) -> list[list[list[int]]]:
    """The tokens of each label's words as they stand at the answer's place.

    Raises:
        InputError: a word stands for two labels, or twice for one.
    """
    words = label_words(task, labels_of(task.signature))
    found = [[reader.answer(word) for word in each] for each in words]
    flat = [tuple(word) for each in found for word in each]
    for word, tokens in zip((word for each in words for word in each), flat, strict=True):
        if flat.count(tokens) > 1:
            raise InputError(
                f"expected words that differ, got {word!r} twice for {reader.frozen.name}; give "
                "the labels other words in task.toml"
            )
    return found


def check_short(task: Task, reader: TemplateReader, words: list[list[list[int]]]) -> None:
    """Refuse words that one mask cannot stand for."""
    spelt = label_words(task, labels_of(task.signature))
    for each, tokens in zip(spelt, words, strict=True):
        for word, ids in zip(each, tokens, strict=True):
            if len(ids) != 1:
                raise InputError(
                    f"expected words of one token for the mask of {reader.frozen.name}, got "
                    f"{word!r} of {len(ids)}; give the label another in task.toml, or use "
                    "answer=learned"
                )


def word_vectors(backbone: Backbone, words: list[list[list[int]]]) -> Tensor:
    """The mean vector of each label's words ``[C, E]``, of a word the mean over its tokens."""
    means = [
        torch.stack([answer_vectors(backbone, word).mean(dim=0) for word in each]).mean(dim=0)
        for each in words
    ]
    return torch.stack(means)
