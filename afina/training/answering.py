"""How a prompted model answers a task: the reader, the training rows, and the head or the words."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from afina.backbones.backbone import Backbone
from afina.backbones.encoder import Encoder
from afina.backbones.injection import Injection, KeyValues
from afina.backbones.words import continuation, label_tokens
from afina.errors import InputError, ModelError
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.reading import Read, Reader, check_written, labelled_rows, labels_of
from afina.task.example import Example
from afina.task.signature import Choice
from afina.task.task import Task
from afina.training.features import start_head


@runtime_checkable
class AnswerSettings(Protocol):
    """What the settings of every soft method say of the answer."""

    @property
    def answer(self) -> str:
        """head, words, text or auto."""

    @property
    def probe(self) -> float:
        """Strength (C) of the logistic regression the head starts from."""

    @property
    def new_tokens(self) -> int:
        """Longest text written."""


@dataclass(frozen=True)
class Prepared:
    """How rows are read, the training rows, and how they are answered."""

    reader: Reader
    rows: list[Read]
    answer: HeadAnswer | LabelWords | Writing


def prepare(
    task: Task, backbone: Backbone, settings: AnswerSettings, injection: Injection
) -> Prepared:
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
    room = frozen.positions - places(backbone, injection) - spare
    if room <= len(ids):
        raise ModelError(
            f"a prompt of {injection.length} leaves no room for the text: {frozen.name} has "
            f"{frozen.positions} places; shorten the prompt"
        )
    reader = Reader(frozen, task.signature, room, tuple(ids))
    if kind == "text":
        answer = Writing(settings.new_tokens)
        rows = [_with_text(reader, each, answer.tokens) for each in task.train]
        return Prepared(reader, rows, answer)
    rows = labelled_rows(task, reader, labels)
    if kind == "words":
        return Prepared(reader, rows, LabelWords(labels, words))
    head = start_head(backbone, rows, injection, classes=len(labels), strength=settings.probe)
    return Prepared(reader, rows, HeadAnswer(head, labels))


def places(backbone: Backbone, injection: Injection) -> int:
    """How many places of the position table are taken before a text comes: special tokens too.

    Keys and values take those before the position at which the text begins.
    """
    taken = injection.start if isinstance(injection, KeyValues) else injection.length
    return taken + len(backbone.frozen.lead) + len(backbone.frozen.trail)


def answer_kind(task: Task, backbone: Backbone, settings: AnswerSettings) -> str:
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


def _asked_kind(task: Task, backbone: Backbone, settings: AnswerSettings) -> str:
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
