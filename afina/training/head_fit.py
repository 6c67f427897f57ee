"""The head that suits a task's target: how rows are read for it, and how one is fitted.

A head is fitted to what the frozen model says of the training rows, under a prompt or under none:
logistic regression for labels and tags, ridge regression for numbers, L-BFGS for spans. Prompts
start with such a head, and the linear probe is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import Frozen
from afina.backbones.injection import Injection
from afina.soft.answer import HeadAnswer
from afina.soft.heads import fit_probe
from afina.soft.number_answer import NumberAnswer, fit_ridge, scale_of
from afina.soft.reading import Read, Reader, Reading, Words, labelled_rows, labels_of
from afina.soft.soft_solver import batches_by_length
from afina.soft.span_answer import SpanAnswer, fit_spans, limits_of, mean_and_states
from afina.soft.span_reading import SpanReader, context_of, span_rows
from afina.soft.token_answer import TokenAnswer, first_states, tags_in, words_in
from afina.soft.token_reading import TokenReader, tags_of, token_rows, words_of
from afina.task.signature import Choice, FieldType, Integer, Number, Spans
from afina.task.task import Task
from afina.training.features import features_of

Headed = HeadAnswer | TokenAnswer | SpanAnswer | NumberAnswer
Fit = Callable[[float], Headed]  # from a strength, scikit-learn's C, to a head

WINDOW = 384  # tokens that are read at once at most, where words or a context are read in windows
SAMPLE = 100_000  # tokens, about, that a head for tags or spans is fitted to


def read_task(task: Task, frozen: Frozen, room: int) -> tuple[Reading, list[Read]]:
    """The reader for a head that suits the target, and the training rows.

    Raises:
        InputError: no head answers such a target, or the examples do not fit it.
    """
    signature = task.signature
    match signature.target.type:
        case Spans(()):
            spans = SpanReader(frozen, signature, min(room, WINDOW), context_of(task))
            return spans, span_rows(task, spans)
        case Spans():
            words_of(signature)
            tokens = TokenReader(frozen, signature, min(room, WINDOW))
            return tokens, token_rows(task, tokens)
        case Number() | Integer():
            reader = Reader(frozen, signature, room)
            return reader, number_rows(task, reader)
    reader = Reader(frozen, signature, room)
    return reader, labelled_rows(task, reader, labels_of(signature))


def number_rows(task: Task, reader: Reader) -> list[Read]:
    """The training rows with the number wanted of each."""
    name = task.signature.target.name
    return [
        replace(reader.read(example.inputs), number=float(str(example.outputs[name])))
        for example in task.train
    ]


def fitter(
    target: FieldType, backbone: Backbone, rows: Sequence[Read], injection: Injection | None
) -> Fit:
    """Heads of any strength, fitted to what the model says of the rows; it is asked once."""
    match target:
        case Spans(()):
            return _span_fit(backbone, rows, injection)
        case Spans(labels):
            return _token_fit(backbone, rows, injection, labels)
        case Choice(labels):
            return _label_fit(backbone, rows, injection, labels)
    assert isinstance(target, Number | Integer)
    return _number_fit(backbone, rows, injection, whole=target == Integer())


def _label_fit(
    backbone: Backbone, rows: Sequence[Read], injection: Injection | None, labels: tuple[str, ...]
) -> Fit:
    features = features_of(backbone, rows, injection)
    wanted = torch.tensor([row.label for row in rows])
    return lambda strength: HeadAnswer(
        fit_probe(features, wanted, classes=len(labels), strength=strength), labels
    )


def _number_fit(
    backbone: Backbone, rows: Sequence[Read], injection: Injection | None, *, whole: bool
) -> Fit:
    features, scale = features_of(backbone, rows, injection), scale_of(rows, whole=whole)
    return lambda strength: NumberAnswer(fit_ridge(features, rows, scale, strength=strength), scale)


def _token_fit(
    backbone: Backbone, rows: Sequence[Read], injection: Injection | None, labels: tuple[str, ...]
) -> Fit:
    batches = _batches(sample_of(rows))
    with torch.no_grad():
        seen = [
            words_in(first_states(backbone, batch, [injection] * len(batch)), batch).cpu()
            for batch in batches
        ]
    states, tags = torch.cat(seen), torch.cat([tags_in(batch) for batch in batches])
    return lambda strength: TokenAnswer(
        fit_probe(states, tags, classes=len(tags_of(labels)), strength=strength), labels
    )


def _span_fit(backbone: Backbone, rows: Sequence[Read], injection: Injection | None) -> Fit:
    limits = limits_of(rows)
    batches = _batches(sample_of(rows))
    with torch.no_grad():
        seen = [
            (mean_and_states(backbone, batch, [injection] * len(batch)).cpu(), batch)
            for batch in batches
        ]
    return lambda strength: SpanAnswer(fit_spans(seen, strength=strength), limits)


def sample_of(rows: Sequence[Read], most: int = SAMPLE) -> list[Read]:
    """Rows of about ``most`` tokens, the same in each run; some row for each tag is among them."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
    chosen: list[Read] = []
    tokens, tags = 0, set[int]()
    for row in (rows[place] for place in order):
        own = set(row.marks.tags) if isinstance(row.marks, Words) else set()
        if tokens < most or not own <= tags:
            chosen.append(row)
            tokens, tags = tokens + len(row.tokens), tags | own
    return chosen


def _batches(rows: Sequence[Read]) -> list[list[Read]]:
    return [[rows[place] for place in places] for places in batches_by_length(rows)]
