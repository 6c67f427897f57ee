"""A portrait names the words that a prompt is made of, and its numbers are those of the formula."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity

from afina.backbones.frozen import Frozen
from afina.backbones.injection import Embeddings, KeyValues
from afina.packed import portrait_of
from afina.soft.answer import LabelWords
from afina.soft.portrait import NEAREST, Place, portrait
from afina.soft.reading import Reader
from afina.soft.soft_solver import make_solver
from afina.solver import Packed
from afina.task.signature import Signature
from tests.tiny import FAMILIES, SPECIALS, VOCABULARY, WORDS, shared, tiny


@pytest.fixture
def frozen() -> Frozen:
    return shared("bert").frozen


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_of_words_is_nearest_to_these_words(family: str) -> None:
    frozen = shared(family).frozen
    words = ["good", "film", "film", "short"]
    found = portrait(Embeddings(frozen.embed(frozen.encode(" ".join(words)))), frozen)
    assert [place.near[0].word for place in found.places] == words
    assert [place.near[0].similarity for place in found.places] == pytest.approx([1.0] * 4)
    assert found.similarity[1][2] == pytest.approx(1.0)
    assert found.places[1] == found.places[2]
    assert found.sites == ()


def test_the_nearest_words_are_those_of_a_search_by_hand(frozen: Frozen) -> None:
    """Broken by products in place of cosines."""
    vectors = noise(7, 32)
    found = portrait(Embeddings(vectors), frozen)
    for vector, place in zip(vectors, found.places, strict=True):
        cosines = {
            word: float(cosine_similarity(vector, frozen.embed([VOCABULARY[word]])[0], dim=0))
            for word in WORDS
        }
        best = sorted(cosines, key=lambda word: -cosines[word])[:NEAREST]
        assert [near.word for near in place.near] == best
        assert [near.similarity for near in place.near] == pytest.approx(
            [cosines[word] for word in best], abs=1e-6
        )


def test_norms_are_told_beside_the_mean_norm_of_a_word(frozen: Frozen) -> None:
    vectors = noise(3, 32)
    words = frozen.embed([VOCABULARY[word] for word in WORDS])
    norms = [sum(float(x) ** 2 for x in word) ** 0.5 for word in words]
    usual = sum(norms) / len(norms)
    for vector, place in zip(vectors, portrait(Embeddings(vectors), frozen).places, strict=True):
        assert place.norm == pytest.approx(float((vector**2).sum()) ** 0.5, rel=1e-6)
        assert place.relative == pytest.approx(place.norm / usual, rel=1e-6)


def test_only_the_norm_knows_how_long_a_vector_is(frozen: Frozen) -> None:
    once, thrice = (portrait(Embeddings(scale * noise(4, 32)), frozen) for scale in (1.0, 3.0))
    for short, long in zip(once.places, thrice.places, strict=True):
        assert [near.word for near in long.near] == [near.word for near in short.near]
        assert long.norm == pytest.approx(3 * short.norm)
        assert short.relative is not None
        assert long.relative == pytest.approx(3 * short.relative)


def test_a_place_alone_looks_as_it_does_among_others(frozen: Frozen) -> None:
    vectors = noise(5, 32)
    together = portrait(Embeddings(vectors), frozen)
    for vector, place in zip(vectors, together.places, strict=True):
        alone = portrait(Embeddings(vector[None]), frozen).places[0]
        assert alone.norm == pytest.approx(place.norm)
        assert [near.word for near in alone.near] == [near.word for near in place.near]


def test_places_are_as_alike_as_their_cosine(frozen: Frozen) -> None:
    vectors = noise(4, 32)
    found = portrait(Embeddings(vectors), frozen).similarity
    for one in range(4):
        for other in range(4):
            expected = float(cosine_similarity(vectors[one], vectors[other], dim=0))
            assert found[one][other] == pytest.approx(expected, abs=1e-6)


def test_special_tokens_are_no_words(frozen: Frozen) -> None:
    """Broken by searching the whole table."""
    found = portrait(Embeddings(frozen.embed([VOCABULARY[name] for name in SPECIALS])), frozen)
    named = {near.word for place in found.places for near in place.near}
    assert named <= set(WORDS)


def test_rows_that_fill_the_table_are_no_words() -> None:
    """Tables are padded to a round number of rows, as T5's; broken by searching all of them."""
    frozen = tiny("gpt2").frozen
    frozen.model.resize_token_embeddings(len(VOCABULARY) + 16, mean_resizing=False)
    found = portrait(Embeddings(frozen.embed([len(VOCABULARY) + 3])), frozen).places[0]
    assert {near.word for near in found.near} <= set(WORDS)
    assert found.near[0].similarity < 0.99


def test_a_vector_of_zeros_is_like_nothing(frozen: Frozen) -> None:
    """Broken by dividing by its norm, which gives NaN."""
    found = portrait(Embeddings(torch.zeros(2, 32)), frozen)
    assert found.similarity == ((0.0, 0.0), (0.0, 0.0))
    for place in found.places:
        assert (place.norm, place.relative) == (0.0, 0.0)
        assert [near.similarity for near in place.near] == [0.0] * NEAREST


def test_a_word_of_zeros_is_near_to_nothing() -> None:
    frozen = tiny("gpt2").frozen
    with torch.no_grad():
        frozen.model.get_input_embeddings().weight[VOCABULARY["good"]] = 0.0
    for place in portrait(Embeddings(noise(3, 32)), frozen).places:
        assert "good" not in [near.word for near in place.near]
        assert all(0.0 < near.similarity <= 1.0 for near in place.near)


def test_keys_and_values_have_norms_a_site_and_no_words(frozen: Frozen) -> None:
    """By hand; broken by flattening places with heads."""
    keys, values = noise(3, 2, 4, 8), 2.0 + noise(3, 2, 4, 8)
    found = portrait(KeyValues(keys, values), frozen)
    for site, told in enumerate(found.sites):
        for side, norm in ((keys, told.keys), (values, told.values)):
            by_place = [float((side[site, :, place] ** 2).sum()) ** 0.5 for place in range(4)]
            assert norm == pytest.approx(sum(by_place) / 4, rel=1e-5)
    assert len(found.sites) == 3
    flat = [
        torch.cat([side[:, :, place].flatten() for side in (keys, values)]) for place in range(4)
    ]
    for one, place in enumerate(found.places):
        assert place == Place(place.norm)
        assert place.norm == pytest.approx(float(flat[one].norm()), rel=1e-5)
        for other in range(4):
            expected = float(cosine_similarity(flat[one], flat[other], dim=0))
            assert found.similarity[one][other] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama"])
def test_a_packed_prompt_looks_as_it_did(family: str) -> None:
    """Vectors and keys and values; a prompt that is absorbed is still seen as its vectors."""
    backbone = shared(family)
    frozen = backbone.frozen
    reader = Reader(frozen, Signature.parse("text -> mood: good | bad"), 40)
    answer = LabelWords(("good", "bad"), [frozen.encode("good"), frozen.encode("bad")])
    heads = 2 if family == "llama" else 4
    for prompt in (
        Embeddings(noise(3, 32)),
        KeyValues(noise(2, heads, 3, 8), noise(2, heads, 3, 8)),
    ):
        packed = make_solver(backbone, reader, prompt=prompt, answer=answer).pack()
        assert portrait_of(packed, lambda name: backbone) == portrait(prompt, frozen)
    bare = make_solver(backbone, reader, prompt=None, answer=answer).pack()
    for packed in (bare, Packed("majority", {"target": "mood", "answer": "good"})):
        assert portrait_of(packed, lambda name: pytest.fail("a model was loaded")) is None


def test_looking_changes_nothing() -> None:
    frozen = tiny("bert").frozen
    before, vectors = frozen.digest, noise(2, 32).requires_grad_()
    found = portrait(Embeddings(vectors), frozen)
    assert replace(frozen).digest == before
    assert vectors.grad is None
    assert found == portrait(Embeddings(vectors.detach().clone()), frozen)
