"""Start and end of an answer: the formulas by hand, windows, no answer, batches and gradients."""

from dataclasses import replace

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from afina.soft.answer import Answer
from afina.soft.reading import Passage, Read
from afina.soft.span_answer import (
    Limits,
    SpanAnswer,
    SpanHead,
    fit_spans,
    limits_of,
    mean_and_states,
)
from afina.soft.span_reading import SpanReader, span_rows
from afina.task.signature import Signature
from tests.tiny import FAMILIES, shared
from tests.training.tiny_task import question_task

SIGNATURE = Signature.parse("context, question -> answer: spans")
CLOSE = {"atol": 1e-5, "rtol": 0.0}
TEXTS = [
    ("it was a good film . the plot is bad", "is it good"),
    ("the plot is very dull and it was a slow film , not so nice , and never happy again", "bad"),
    ("great", "good or bad"),
]


def answer_for(*, pieces: int = 3, unanswerable: bool = False, seed: int = 0) -> SpanAnswer:
    generator = torch.Generator().manual_seed(seed)
    head = SpanHead(
        torch.randn(2, 32, generator=generator),
        torch.randn(2, 32, generator=generator) * 0.1,
        torch.zeros(2),
    )
    return SpanAnswer(head, Limits(pieces, unanswerable))


def reads(backbone: Backbone, room: int = 40) -> list[Read]:
    reader = SpanReader(backbone.frozen, SIGNATURE, room, "context")
    return [reader.read({"context": text, "question": asked}) for text, asked in TEXTS]


def prompt(backbone: Backbone) -> Embeddings:
    generator = torch.Generator().manual_seed(4)
    return Embeddings(torch.randn(3, backbone.frozen.width, generator=generator) * 0.3)


def wanting(row: Read, *pairs: tuple[int, int]) -> Read:
    assert isinstance(row.marks, Passage)
    return replace(row, marks=replace(row.marks, wanted=list(pairs)))


def by_hand(answer: SpanAnswer, backbone: Backbone, row: Read) -> torch.Tensor:
    """Log-probabilities ``[1+T, 2]`` of no answer and the context's pieces."""
    assert isinstance(row.marks, Passage)
    states = backbone.states([row.tokens], [None])[0]
    own = states[row.marks.start :]
    null = answer.head.null_weight @ states.mean(dim=0) + answer.head.null_bias
    return torch.cat([null[None], own @ answer.head.weight.T]).log_softmax(dim=0).detach()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_the_cross_entropy_of_start_and_end(family: str) -> None:
    """One answer, one that stands twice, none; broken by choosing among the question's pieces."""
    backbone, answer = shared(family), answer_for()
    rows = reads(backbone)
    wanted = [wanting(rows[0], (3, 4)), wanting(rows[1], (1, 2), (5, 5)), rows[2]]
    one, two, none = (by_hand(answer, backbone, row) for row in rows)
    each = torch.stack(
        [
            one[4, 0],
            one[5, 1],
            (two[2, 0].exp() + two[6, 0].exp()).log(),
            (two[3, 1].exp() + two[6, 1].exp()).log(),
            none[0, 0],
            none[0, 1],
        ]
    )
    loss = answer.loss(answer.gather(backbone, wanted, [None] * 3), wanted).detach()
    torch.testing.assert_close(loss, -each.mean(), **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pieces", [1, 3])
def test_the_answer_is_the_likeliest_span_by_trying_all(family: str, pieces: int) -> None:
    """Broken by an end before the start, or by a span too long."""
    backbone, answer = shared(family), answer_for(pieces=pieces)
    rows = reads(backbone)
    with torch.no_grad():
        found = answer.answer(backbone, rows, [None] * 3)
    for row, (text, evidence) in zip(rows, found, strict=True):
        assert isinstance(row.marks, Passage)
        scores = by_hand(answer, backbone, row)[1:]
        pairs = [
            (float(scores[a, 0] + scores[b, 1]), a, b)
            for a in range(len(scores))
            for b in range(a, min(a + pieces, len(scores)))
        ]
        score, first, last = max(pairs)
        start, end = row.marks.pieces[first][0], row.marks.pieces[last][1]
        assert text == row.marks.text[start:end]
        assert (evidence["start"], evidence["end"]) == (start, end)
        assert evidence["probability"] == pytest.approx(float(torch.tensor(score).exp()), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_rows(family: str) -> None:
    """Rows of several windows and of one, with a prompt and without."""
    backbone, answer, soft = shared(family), answer_for(unanswerable=True), prompt(shared(family))
    rows = reads(backbone, room=12)
    assert [len(row.windows) > 1 for row in rows] == [True, True, False]
    with torch.no_grad():
        together = answer.answer(backbone, rows, [soft, None, soft])
        alone = [
            answer.answer(backbone, [row], [own])[0]
            for row, own in zip(rows, [soft, None, soft], strict=True)
        ]
    for (text, evidence), (same, other) in zip(together, alone, strict=True):
        assert text == same
        assert evidence == pytest.approx(other, abs=1e-5)


def test_the_best_of_all_windows_answers() -> None:
    """Each window in turn is the surest of its answer; broken by answering from the first."""
    backbone = shared("bert")
    row = reads(backbone, room=12)[1]
    answer = answer_for()
    with torch.no_grad():
        whole = answer.answer(backbone, [row], [None])[0]
        parts = [answer.answer(backbone, [window], [None])[0] for window in row.windows]
    assert len(parts) > 2
    assert whole == max(parts, key=lambda part: float(str(part[1]["probability"])))


@pytest.mark.parametrize("unanswerable", [True, False])
def test_no_answer_is_given_where_it_is_likelier_in_every_window(unanswerable: bool) -> None:
    """And never by a head whose training rows all have one."""
    backbone = shared("bert")
    rows = reads(backbone, room=12)
    answer = answer_for(unanswerable=unanswerable)
    with torch.no_grad():
        answer.head.null_bias += 50.0
        texts = [text for text, _ in answer.answer(backbone, rows, [None] * 3)]
        answer.head.null_bias -= 100.0
        others = [text for text, _ in answer.answer(backbone, rows, [None] * 3)]
    assert (texts == ["", "", ""]) == unanswerable
    assert all(others)


def test_an_empty_context_has_no_answer() -> None:
    backbone = shared("bert")
    reader = SpanReader(backbone.frozen, SIGNATURE, 20, "context")
    row = reader.read({"context": "", "question": "is it good"})
    assert answer_for().answer(backbone, [row], [None])[0][0] == ""


def test_a_piece_s_leading_space_is_no_part_of_the_answer() -> None:
    """Some tokenizers count the space before a word as its own."""
    passage = Passage("a good film", 0, [(0, 1), (1, 6), (6, 11)])
    logits = torch.zeros(1, 4, 32)
    logits[0, 2] = 9.0
    head = SpanHead(torch.ones(2, 32), torch.zeros(2, 32), torch.zeros(2))
    found = SpanAnswer(head, Limits(2, False)).decide(logits, [Read([7, 8, 9], marks=passage)])
    text, evidence = found[0]
    assert text == "good"
    assert (evidence["start"], evidence["end"]) == (2, 6)


def test_limits_are_those_of_the_training_rows() -> None:
    backbone = shared("bert")
    for unanswerable in (True, False):
        task = question_task(12, 2, unanswerable=unanswerable)
        reader = SpanReader(backbone.frozen, task.signature, 40, "context")
        assert limits_of(span_rows(task, reader)) == Limits(1, unanswerable)


def test_windows_without_an_answer_make_no_task_unanswerable() -> None:
    """Broken by looking at windows instead of examples."""
    task = question_task(12, 2)
    reader = SpanReader(shared("bert").frozen, task.signature, 8, "context")
    rows = span_rows(task, reader)
    assert any(isinstance(row.marks, Passage) and not row.marks.wanted for row in rows)
    assert not limits_of(rows).unanswerable


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_a_fitted_head_is_where_the_penalised_loss_is_lowest(strength: float) -> None:
    """Its gradient is 0: the loss's and the penalty's cancel. Broken by a penalty per feature."""
    backbone = shared("bert")
    task = question_task(24, 2, unanswerable=True)
    reader = SpanReader(backbone.frozen, task.signature, 40, "context")
    rows = span_rows(task, reader)
    gathered = mean_and_states(backbone, rows, [None] * len(rows)).detach()
    head = fit_spans([(gathered[:9], rows[:9]), (gathered[9:], rows[9:])], strength=strength)
    loss = SpanAnswer(head, limits_of(rows)).loss(gathered, rows)
    tokens = torch.cat(
        [part[: len(r.tokens)] for part, r in zip(gathered[:, 1:], rows, strict=True)]
    )
    scale = tokens.std(dim=0, correction=0)
    squares = (head.weight * scale).square().sum() + (head.null_weight * scale).square().sum()
    total = loss + squares / (2 * strength * len(rows))
    start = SpanAnswer(
        SpanHead(torch.zeros(2, 32), torch.zeros(2, 32), torch.zeros(2)), limits_of(rows)
    ).loss(gathered, rows)
    assert total.item() < start.item()
    for gradient in torch.autograd.grad(total, list(head.parameters())):
        assert float(gradient.abs().max()) < 2e-3


@pytest.mark.parametrize("family", ["bert", "gpt2", "bart"])
def test_gradient_checkpointing_gives_the_same_gradients(family: str) -> None:
    backbone, answer = shared(family), answer_for()
    rows = [wanting(row, (0, 0)) for row in reads(backbone)]

    def gradient() -> torch.Tensor:
        vectors = prompt(backbone).vectors.requires_grad_(True)
        gathered = answer.gather(backbone, rows, [Embeddings(vectors)] * 3)
        (found,) = torch.autograd.grad(answer.loss(gathered, rows), vectors)
        return found

    plain = gradient()
    with backbone.frozen.recomputing():
        torch.testing.assert_close(gradient(), plain, atol=1e-6, rtol=1e-5)
    assert bool(plain.any())


def test_it_is_an_answer() -> None:
    assert isinstance(answer_for(), Answer)
