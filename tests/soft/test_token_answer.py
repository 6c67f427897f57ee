"""A tag for each word: the formula by hand, windows, batches and gradients."""

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from afina.soft.answer import Answer
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read, Words
from afina.soft.token_answer import TokenAnswer
from afina.soft.token_reading import TokenReader
from afina.solver import Span
from afina.task.signature import Signature
from tests.tiny import DECODERS, FAMILIES, shared

SIGNATURE = Signature.parse("tokens: list[str] -> entities: spans[A | B]")
LABELS = ("A", "B")
CLOSE = {"atol": 1e-5, "rtol": 0.0}
SENTENCES = ["it was good", "a dull plot and a bad film", "no"]


def answer_for(seed: int = 0) -> TokenAnswer:
    generator = torch.Generator().manual_seed(seed)
    head = ClassificationHead(torch.randn(5, 32, generator=generator), torch.zeros(5))
    return TokenAnswer(head, LABELS)


def reads(backbone: Backbone, room: int = 40) -> list[Read]:
    reader = TokenReader(backbone.frozen, SIGNATURE, room)
    return [reader.read({"tokens": text.split()}) for text in SENTENCES]


def prompt(backbone: Backbone) -> Embeddings:
    generator = torch.Generator().manual_seed(4)
    return Embeddings(torch.randn(3, backbone.frozen.width, generator=generator) * 0.3)


def with_tags(row: Read, tags: list[int]) -> Read:
    assert isinstance(row.marks, Words)
    return Read(row.tokens, marks=Words(row.marks.places, tags))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_the_mean_over_words(family: str) -> None:
    """Broken by the mean over rows, or by counting what is padded."""
    backbone, answer, soft = shared(family), answer_for(), prompt(shared(family))
    tags = [[0, 0, 1], [0, 3, 4, 0, 0, 1, 2], [0]]
    rows = [with_tags(row, own) for row, own in zip(reads(backbone), tags, strict=True)]
    with torch.no_grad():
        loss = answer.loss(answer.gather(backbone, rows, [soft] * 3), rows)
        each = [
            -answer.head(backbone.states([row.tokens], [soft])[0]).log_softmax(-1)[
                range(len(own)), own
            ]
            for row, own in zip(rows, tags, strict=True)
        ]
    torch.testing.assert_close(loss, torch.cat(each).mean(), **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_rows(family: str) -> None:
    """The rows of a batch need windows of 4 pieces each, several for one of them."""
    backbone, answer, soft = shared(family), answer_for(), prompt(shared(family))
    rows = reads(backbone, room=4)
    assert [len(row.windows) for row in rows] == [0, 2, 0]
    with torch.no_grad():
        together = answer.answer(backbone, rows, [soft, None, soft])
        alone = [
            answer.answer(backbone, [row], [own])[0]
            for row, own in zip(rows, [soft, None, soft], strict=True)
        ]
    for (spans, evidence), (same, other) in zip(together, alone, strict=True):
        assert spans == same
        assert evidence["span_probabilities"] == pytest.approx(
            other["span_probabilities"], abs=1e-5
        )


@pytest.mark.parametrize("family", DECODERS)
def test_a_joint_batch_gives_each_learner_the_loss_of_its_own(family: str) -> None:
    """What was gathered beside longer rows is wider; broken by taking its width for the rows'."""
    backbone, answer = shared(family), answer_for()
    rows = [with_tags(row, [0] * len(row.tokens)) for row in reads(backbone)]
    gathered = answer.gather(backbone, rows, [None] * 3)
    for at, row in enumerate(rows):
        alone = answer.loss(answer.gather(backbone, [row], [None]), [row])
        torch.testing.assert_close(answer.loss(gathered[at : at + 1], [row]), alone, **CLOSE)


def test_tags_become_spans_with_the_mean_probability_of_their_words() -> None:
    """An inside tag without a beginning begins a span: O, I-A, I-A, B-A, I-B."""
    weight = torch.eye(5) * 4
    answer = TokenAnswer(ClassificationHead(weight, torch.zeros(5)), LABELS)
    gathered = torch.eye(5)[[0, 2, 2, 1, 4]][None] * torch.tensor([1, 2, 1, 1, 1])[:, None]
    rows = [Read([7] * 5, marks=Words([0, 1, 2, 3, 4]))]
    with torch.no_grad():
        spans, evidence = answer.decide(gathered, rows)[0]
    assert spans == [Span(1, 3, "A"), Span(3, 4, "A"), Span(4, 5, "B")]
    sure, surer = (float(torch.tensor([x, 0, 0, 0, 0.0]).softmax(0)[0]) for x in (4.0, 8.0))
    wanted = [(sure + surer) / 2, sure, sure]
    assert evidence["span_probabilities"] == pytest.approx(wanted, abs=1e-6)


def test_no_words_have_no_spans() -> None:
    backbone = shared("bert")
    reader = TokenReader(backbone.frozen, SIGNATURE, 9)
    rows = [reader.read({"tokens": []}), reader.read({"tokens": ["good"]})]
    assert answer_for().answer(backbone, rows[:1], [None]) == [([], {"span_probabilities": []})]
    assert answer_for().answer(backbone, rows, [None, None])[0][0] == []


@pytest.mark.parametrize("family", ["bert", "gpt2", "bart"])
def test_gradient_checkpointing_gives_the_same_gradients(family: str) -> None:
    backbone, answer = shared(family), answer_for()
    rows = [with_tags(row, [1] * len(row.tokens)) for row in reads(backbone)]

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
