"""How a prompted model answers a task: the reader, the training rows, and the head or the words."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from afina.backbones.backbone import Backbone
from afina.backbones.encoder import Encoder
from afina.backbones.injection import Injection, KeyValues
from afina.backbones.words import continuation, label_tokens
from afina.errors import InputError, ModelError
from afina.soft.answer import LabelWords, Writing
from afina.soft.reading import Read, Reader, Reading, check_written, labelled_rows, labels_of
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer
from afina.task.example import Example
from afina.task.signature import Choice, FieldType, Integer, Number, Spans
from afina.task.task import Task
from afina.training.head_fit import Headed, fitter, read_task


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

    reader: Reading
    rows: list[Read]
    answer: Headed | LabelWords | Verbalizer | LearnedVerbalizer | Writing


def prepare(
    task: Task, backbone: Backbone, settings: AnswerSettings, injection: Injection | None
) -> Prepared:
    """The reader, the training rows and the way to answer, behind a prompt or behind none.

    Raises:
        InputError: the target cannot be answered in this way.
        ModelError: no room is left for the text, or an encoder is to write.
    """
    kind = answer_kind(task, backbone, settings)
    if kind in ("words", "text"):
        return _prepare_written(task, backbone, settings, injection, kind)
    room = room_for(backbone, injection, spare=0)
    reader, rows = read_task(task, backbone.frozen, room)
    fit = fitter(task.signature.target.type, backbone, rows, injection)
    return Prepared(reader, rows, fit(settings.probe))


def _prepare_written(
    task: Task, backbone: Backbone, settings: AnswerSettings, injection: Injection | None, kind: str
) -> Prepared:
    """The same where the model's own words answer."""
    frozen, tail = backbone.frozen, f"\n{task.signature.target.name}:"
    labels = () if kind == "text" else labels_of(task.signature)
    words = label_tokens(frozen, tail, labels, task.words) if kind == "words" else []
    ids = frozen.encode(tail)
    if isinstance(backbone, Encoder):
        ids = [*ids, _mask_of(backbone)]
    spare = settings.new_tokens if kind == "text" else max(map(len, words), default=0)
    room = room_for(backbone, injection, spare=spare, least=len(ids) + 1)
    reader = Reader(frozen, task.signature, room, tuple(ids))
    if kind == "words":
        return Prepared(reader, labelled_rows(task, reader, labels), LabelWords(labels, words))
    answer = Writing(settings.new_tokens)
    return Prepared(
        reader, [_with_text(reader, each, answer.tokens) for each in task.train], answer
    )


def room_for(backbone: Backbone, injection: Injection | None, *, spare: int, least: int = 1) -> int:
    """How many tokens a row may have beside a prompt, with ``spare`` places kept free.

    Raises:
        ModelError: fewer than ``least`` are left.
    """
    frozen = backbone.frozen
    room = frozen.positions - places(backbone, injection) - spare
    if room < least:
        what = f"a prompt of {injection.length}" if injection else f"an answer of {spare}"
        raise ModelError(
            f"{what} leaves no room for the text: {frozen.name} has {frozen.positions} places; "
            "shorten it"
        )
    return room


def places(backbone: Backbone, injection: Injection | None) -> int:
    """How many places of the position table are taken before a text comes: special tokens too.

    Keys and values take those before the position at which the text begins.
    """
    match injection:
        case None:
            taken = 0
        case KeyValues():
            taken = injection.start
        case _:
            taken = injection.length
    return taken + len(backbone.frozen.lead) + len(backbone.frozen.trail)


def answer_kind(task: Task, backbone: Backbone, settings: AnswerSettings) -> str:
    """How a target is answered: by a head, head | tokens | spans | number, or by words | text.

    Encoders answer by the head that suits the target. Models that write answer a choice by label
    words and an extract as text; tags and numbers, which they cannot write, by a head too.

    Raises:
        InputError: the setting is none of these, or the target cannot be read back from a text.
        ModelError: an encoder is asked to write.
    """
    asked = settings.answer
    if asked not in ("auto", "head", "words", "text"):
        raise InputError(f"expected answer auto, head, words or text, got {asked!r}")
    head = _head_kind(task.signature.target.type)
    if asked == "auto":
        asked = _suggested(head, encodes=isinstance(backbone, Encoder))
    if asked == "head":
        return head or "head"  # where no head suits, the reader of labels says so
    if asked == "text":
        check_written(task.signature)
        if isinstance(backbone, Encoder):
            raise ModelError(
                f"{backbone.frozen.name} is an encoder and writes no text; "
                "use a decoder or encoder-decoder, or a target that is a choice"
            )
    return asked


def _suggested(head: str, *, encodes: bool) -> str:
    if head in ("tokens", "number") or (head and encodes):
        return "head"
    return "words" if head == "head" else "text"


def _head_kind(target: FieldType) -> str:
    """The head that suits a target; none where a head cannot answer it."""
    match target:
        case Choice():
            return "head"
        case Spans(()):
            return "spans"
        case Spans():
            return "tokens"
        case Number() | Integer():
            return "number"
    return ""


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
    text = next(iter(wanted), "") if isinstance(wanted, list) else wanted
    target = continuation(frozen, f"\n{name}:", str(text))
    end = frozen.tokenizer.eos_token_id
    whole = [*target, *([] if end is None else [end])]
    return replace(reader.read(example.inputs), target=whole[:tokens])
