"""Three ways to answer, against the formula by hand."""

import pytest
import torch
import torch.nn.functional as F

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from afina.errors import ModelError
from afina.soft.answer import Answer, HeadAnswer, LabelWords, Writing, chosen
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read
from tests.tiny import FAMILIES, VOCABULARY, shared

CLOSE = {"atol": 1e-5, "rtol": 0.0}
LABELS = ("good", "bad", "fine")
TEXTS = ["i liked this one", "dull plot . never again , it was awful", "not so bad"]
WANTED = [2, 0, 1]
GENERATORS = ["gpt2", "llama", "qwen3", "bart", "t5"]
MASK = VOCABULARY["<mask>"]


def reads(backbone: Backbone, targets: list[list[int]] | None = None) -> list[Read]:
    tail = [MASK] if backbone.frozen.kind == "encoder" else []
    return [
        Read([*backbone.frozen.encode(text), *tail], label=label, target=target)
        for text, label, target in zip(TEXTS, WANTED, targets or [[]] * 3, strict=True)
    ]


def prompt(backbone: Backbone, length: int = 3) -> Embeddings:
    width = backbone.frozen.width
    return Embeddings(torch.randn(length, width, generator=torch.Generator().manual_seed(4)) * 0.3)


def head_answer() -> HeadAnswer:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 32, generator=generator)
    return HeadAnswer(ClassificationHead(weight, torch.tensor([0.5, 0.0, -0.5])), LABELS)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_head_reads_the_features(family: str) -> None:
    """Broken by leaving the injections out."""
    backbone, answer, soft = shared(family), head_answer(), prompt(shared(family))
    rows = reads(backbone)
    features = backbone.features([row.tokens for row in rows], [soft] * 3)
    logits = (features @ answer.head.weight.T + answer.head.bias).detach()
    loss = answer.loss(answer.gather(backbone, rows, [soft] * 3), rows).detach()
    by_hand = -torch.stack([logits[at].log_softmax(0)[want] for at, want in enumerate(WANTED)])
    torch.testing.assert_close(loss, by_hand.mean(), **CLOSE)
    answered = answer.answer(backbone, rows, [soft] * 3)
    assert [value for value, _ in answered] == [LABELS[at] for at in logits.argmax(-1).tolist()]


@pytest.mark.parametrize("family", FAMILIES)
def test_label_words_are_chosen_by_their_likelihood(family: str) -> None:
    """Words of two tokens where the model writes; broken by the first token alone."""
    backbone, soft = shared(family), prompt(shared(family))
    words = ["good", "bad", "fine" if backbone.frozen.kind == "encoder" else "fine film"]
    tokens = [backbone.frozen.encode(word) for word in words]
    answer, rows = LabelWords(LABELS, tokens), reads(backbone)
    with torch.no_grad():
        scores = torch.cat(
            [backbone.likelihood([row.tokens], [label], [soft]) for row in rows for label in tokens]
        ).view(3, 3)
        answered = answer.answer(backbone, rows, [soft] * 3)
        loss = answer.loss(answer.gather(backbone, rows, [soft] * 3), rows)
    assert [value for value, _ in answered] == [LABELS[at] for at in scores.argmax(-1).tolist()]
    for (_, evidence), row in zip(answered, scores.softmax(-1).tolist(), strict=True):
        assert evidence["probabilities"] == pytest.approx(
            dict(zip(LABELS, row, strict=True)), abs=2e-6
        )
    torch.testing.assert_close(loss, wanted_loss(backbone, scores, tokens), **CLOSE)


def wanted_loss(backbone: Backbone, scores: torch.Tensor, tokens: list[list[int]]) -> torch.Tensor:
    """An encoder weighs the labels against each other, the others take the words' own tokens."""
    if backbone.frozen.kind == "encoder":
        return F.cross_entropy(scores, torch.tensor(WANTED))
    right = torch.stack([scores[at, want] for at, want in enumerate(WANTED)])
    return -right.sum() / sum(len(tokens[want]) for want in WANTED)


@pytest.mark.parametrize("family", GENERATORS)
def test_writing_gives_the_model_s_own_text(family: str) -> None:
    backbone, soft = shared(family), prompt(shared(family))
    rows = reads(backbone, [[7, 8, 2], [9, 2], [10, 11, 12]])
    answer = Writing(4)
    with torch.no_grad():
        written = backbone.write([row.tokens for row in rows], [soft] * 3, tokens=4)
        loss = answer.loss(answer.gather(backbone, rows, [soft] * 3), rows)
        each = [backbone.likelihood([row.tokens], [row.target], [soft]) for row in rows]
        values = [value for value, _ in answer.answer(backbone, rows, [soft] * 3)]
    assert values == [backbone.frozen.decode(ids).strip() for ids in written]
    torch.testing.assert_close(loss, -torch.cat(each).sum() / 8, **CLOSE)


def test_no_more_is_written_than_asked_for() -> None:
    backbone = shared("gpt2")
    texts = [str(Writing(n).answer(backbone, reads(backbone)[:1], [None])[0][0]) for n in (1, 3)]
    assert [len(text.split()) for text in texts] == [1, 3]
    assert texts[1].startswith(texts[0])


def test_encoders_refuse_label_words_of_several_tokens() -> None:
    backbone = shared("bert")
    answer = LabelWords(LABELS, [[7, 8], [9], [10]])
    with pytest.raises(ModelError, match="label words must be one token each"):
        answer.answer(backbone, reads(backbone), [None] * 3)


def test_the_three_best_are_told_with_their_probabilities() -> None:
    """Broken by probabilities among the three alone."""
    scores = torch.tensor([[0.0, 3.0, 1.0, 2.0], [5.0, 5.0, 5.0, 6.0]])
    one, other = chosen(scores, ("a", "b", "c", "d"))
    assert one[0] == "b"
    assert list(one[1]["probabilities"]) == ["b", "d", "c"]
    wanted = [round(float(p), 6) for p in scores[0].softmax(0)[[1, 3, 2]]]
    assert list(one[1]["probabilities"].values()) == wanted
    assert other[0] == "d"


def test_two_labels_have_two_probabilities() -> None:
    assert len(chosen(torch.tensor([[0.0, 1.0]]), ("a", "b"))[0][1]["probabilities"]) == 2


@pytest.mark.parametrize("answer", [head_answer(), LabelWords(LABELS, []), Writing(1)])
def test_each_is_an_answer(answer: object) -> None:
    assert isinstance(answer, Answer)


@pytest.mark.parametrize(("answer", "count"), [(head_answer(), 2), (LabelWords(LABELS, []), 0)])
def test_only_a_head_is_trained(answer: torch.nn.Module, count: int) -> None:
    assert len(list(answer.parameters())) == count
