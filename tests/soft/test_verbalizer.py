"""Verbalizers: several words a label, calibrated against the empty input, and learned."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze
from afina.backbones.injection import Embeddings, slot
from afina.backbones.projection import answer_states, answer_vectors, answer_width
from afina.errors import ModelError
from afina.soft.answer import LabelWords
from afina.soft.reading import Read
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer, mean_likelihoods
from tests.tiny import DECODERS, ENCODERS, FAMILIES, VOCABULARY, raw_model, shared, tokenizer_for

LABELS = ("up", "down")
MASK = VOCABULARY["<mask>"]
TEXTS = ["good film", "it was a very dull plot", "great great fine", "so sad and slow"]


def ids(text: str) -> list[int]:
    return [VOCABULARY[word] for word in text.split()]


def prompt(backbone: Backbone, seed: int = 0) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(2, backbone.frozen.width, generator=generator) * 0.3
    return Embeddings(vectors, anywhere=True)


def rows(backbone: Backbone) -> list[Read]:
    ending = [MASK, *ids(".")] if backbone.frozen.kind == "encoder" else []
    return [
        Read([slot(0), *ids(text), slot(1), *ids("it was"), *ending], label=at % 2)
        for at, text in enumerate(TEXTS)
    ]


def empty(backbone: Backbone) -> list[int]:
    ending = [MASK, *ids(".")] if backbone.frozen.kind == "encoder" else []
    return [slot(0), slot(1), *ids("it was"), *ending]


def words(backbone: Backbone) -> list[list[list[int]]]:
    """Three words a label; models that write may have some of two tokens."""
    last = "good film" if backbone.frozen.kind != "encoder" else "bright"
    return [[ids("great"), ids("fine"), ids(last)], [ids("awful"), ids("sad")]]


def scores(backbone: Backbone, answer: Verbalizer, reads: Sequence[Read], seed: int = 0) -> Tensor:
    with torch.no_grad():
        return answer.gather(backbone, reads, [prompt(backbone, seed)] * len(reads))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_word_a_label_is_a_label_word(family: str) -> None:
    """The identity: the same scores, answers and, on encoders, the same loss."""
    backbone = shared(family)
    one, other = (
        Verbalizer(LABELS, [[ids("great")], [ids("awful")]]),
        LabelWords(LABELS, [ids("great"), ids("awful")]),
    )
    reads, injections = rows(backbone), [prompt(backbone)] * 4
    with torch.no_grad():
        assert one.answer(backbone, reads, injections) == other.answer(backbone, reads, injections)
        if family in ENCODERS:
            losses = [
                each.loss(each.gather(backbone, reads, injections), reads) for each in (one, other)
            ]
            assert torch.equal(*losses)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_label_s_score_is_the_mean_probability_of_its_words(family: str) -> None:
    """By hand, from the likelihood of each word alone. Broken by the sum, or the best word."""
    backbone = shared(family)
    found = scores(backbone, Verbalizer(LABELS, words(backbone)), rows(backbone)).exp()
    wanted = []
    for row in rows(backbone):
        alone = [
            [
                backbone.likelihood([row.tokens], [word], [prompt(backbone)]).exp().item()
                for word in each
            ]
            for each in words(backbone)
        ]
        wanted.append([sum(each) / len(each) for each in alone])
    assert torch.allclose(found, torch.tensor(wanted), rtol=1e-4, atol=1e-7)


def test_a_word_that_is_there_twice_changes_nothing() -> None:
    """Means, not sums: broken by leaving out the count."""
    found = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    doubled = mean_likelihoods(found[:, [0, 0, 0, 1]], [3, 1])
    assert torch.allclose(doubled, found, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_calibration_takes_away_what_is_said_of_nothing(family: str) -> None:
    """By hand: scores of the row less scores of the empty row, the prompt in place."""
    backbone = shared(family)
    plain = Verbalizer(LABELS, words(backbone))
    calibrated = Verbalizer(LABELS, words(backbone), empty=empty(backbone))
    nothing = scores(backbone, plain, [Read(empty(backbone))])
    found = scores(backbone, calibrated, rows(backbone))
    assert torch.allclose(found, scores(backbone, plain, rows(backbone)) - nothing, atol=1e-5)
    assert torch.allclose(
        scores(backbone, calibrated, [Read(empty(backbone))]), torch.zeros(1, 2), atol=1e-6
    )


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_calibrated_by_uniform_scores_is_uncalibrated(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The identity: where nothing is said as likely up as down, answers stay as they are."""
    backbone = shared(family)
    reads, injections = rows(backbone), [prompt(backbone)] * 4
    plain = Verbalizer(LABELS, words(backbone))
    calibrated = Verbalizer(LABELS, words(backbone), empty=empty(backbone))
    real = Verbalizer._scores

    def uniform(
        self: Verbalizer, asked: Backbone, tokens: Sequence[list[int]], given: list[Embeddings]
    ) -> Tensor:
        found = real(self, asked, tokens, given)
        nothing = torch.tensor([row == empty(backbone) for row in tokens])
        return torch.where(nothing[:, None], math.log(0.01), found)

    with torch.no_grad():
        wanted = plain.answer(backbone, reads, injections)
        monkeypatch.setattr(Verbalizer, "_scores", uniform)
        found = calibrated.answer(backbone, reads, injections)
    for one, other in zip(found, wanted, strict=True):
        assert one[0] == other[0]
        assert one[1]["probabilities"] == pytest.approx(other[1]["probabilities"], abs=2e-6)


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_each_row_is_calibrated_by_its_own_prompt(family: str) -> None:
    """A mixed batch equals its rows alone. Broken by one empty row a batch."""
    backbone = shared(family)
    calibrated = Verbalizer(LABELS, words(backbone), empty=empty(backbone))
    prompts = [prompt(backbone, seed) for seed in (0, 1)]
    mixed = [prompts[0], prompts[1], prompts[0], prompts[1]]
    with torch.no_grad():
        together = calibrated.gather(backbone, rows(backbone), mixed)
        alone = [
            calibrated.gather(backbone, [row], [each])
            for row, each in zip(rows(backbone), mixed, strict=True)
        ]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_learned_verbalizer_begins_as_the_words_themselves(family: str) -> None:
    """Its scores are the words' logits; a bias of the projection is the one thing it lacks.

    Broken by states of the wrong place, or of before the head's own layers.
    """
    backbone = shared(family)
    frozen = backbone.frozen
    tokens = [VOCABULARY["great"], VOCABULARY["awful"]]
    vectors = answer_vectors(backbone, tokens)
    learned = LearnedVerbalizer(LABELS, vectors, scale=0.15)
    reads, injections = rows(backbone), [prompt(backbone)] * 4
    with torch.no_grad():
        found = learned.scores(learned.gather(backbone, reads, injections))
        wanted = backbone.choose([row.tokens for row in reads], [[t] for t in tokens], injections)
    bias = getattr(frozen.model.get_output_embeddings(), "bias", None)
    assert bias is None or not bool(bias.any())
    difference = (found - wanted)[:, 0] - (found - wanted)[:, 1]
    assert torch.allclose(difference, torch.zeros(4), atol=1e-5)
    assert vectors.shape == (2, answer_width(frozen))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["words", "calibrated", "learned"])
def test_a_row_alone_equals_the_row_in_a_batch(family: str, kind: str) -> None:
    backbone = shared(family)
    answer = made(backbone, kind)
    reads = rows(backbone)
    with torch.no_grad():
        together = answer.gather(backbone, reads, [prompt(backbone)] * 4)
        alone = [answer.gather(backbone, [row], [prompt(backbone)]) for row in reads]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def made(backbone: Backbone, kind: str) -> Verbalizer | LearnedVerbalizer:
    if kind == "learned":
        vectors = answer_vectors(backbone, ids("great awful"))
        return LearnedVerbalizer(LABELS, vectors, scale=0.15)
    row = empty(backbone) if kind == "calibrated" else None
    return Verbalizer(LABELS, words(backbone), empty=row)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["words", "calibrated", "learned"])
def test_the_loss_reaches_the_prompt(family: str, kind: str) -> None:
    """And nothing of the model. Broken by a verbalizer that reads without gradients."""
    backbone = shared(family)
    answer, reads = made(backbone, kind), rows(backbone)
    vectors = prompt(backbone).vectors.clone().requires_grad_()
    injections = [Embeddings(vectors, anywhere=True)] * 4
    answer.loss(answer.gather(backbone, reads, injections), reads).backward()
    assert vectors.grad is not None
    assert bool((vectors.grad.abs().sum(dim=1) > 0).all())
    for weight in answer.parameters():
        assert weight.grad is not None
        assert bool(weight.grad.any())
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())


def headless() -> Backbone:
    """An encoder as sentence transformers are: no language-model head."""
    model = raw_model("bert").base_model
    return backbone_of(
        freeze("tiny:headless", model, tokenizer_for("bert"), kind="encoder", writes=False)
    )


def test_an_encoder_without_a_head_is_read_at_its_mask() -> None:
    backbone = headless()
    reads, injections = rows(backbone), [prompt(backbone)] * 4
    tokens = [row.tokens for row in reads]
    found = answer_states(backbone, tokens, injections)
    for row, state in zip(tokens, found, strict=True):
        alone = backbone.states([row], [prompt(backbone)])[0]
        assert torch.allclose(state, alone[row.index(MASK)], atol=1e-5)
    assert answer_vectors(backbone, ids("good bad")).shape == (2, answer_width(backbone.frozen))


@pytest.mark.parametrize("tail", [[], [MASK, MASK]])
def test_a_row_without_one_mask_is_refused(tail: list[int]) -> None:
    for backbone in (headless(), shared("bert")):
        with pytest.raises(ModelError, match="each row needs exactly one mask token"):
            answer_states(backbone, [[*ids("good"), *tail]], [None])


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_s_answer_state_is_that_of_the_last_token(family: str) -> None:
    backbone = shared(family)
    tokens = [row.tokens for row in rows(backbone)]
    injections = [prompt(backbone)] * 4
    with torch.no_grad():
        found = answer_states(backbone, tokens, injections)
        assert torch.allclose(found, backbone.features(tokens, injections), atol=1e-5)
