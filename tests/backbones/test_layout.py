"""Rows, prompts and padding as one batch."""

import pytest
import torch

from afina.backbones.decoder import Decoder
from afina.backbones.injection import Embeddings, distinct
from afina.backbones.layout import compose, padded, place
from afina.errors import MismatchError, ModelError
from tests.tiny import FAMILIES, shared


def test_padding_fills_the_side_asked_for() -> None:
    ids, mask = padded([[5, 6], [7]], 0, left=True)
    assert ids.tolist() == [[5, 6], [0, 7]]
    assert mask.tolist() == [[True, True], [False, True]]
    assert padded([[5, 6], [7]], 0)[0].tolist() == [[5, 6], [7, 0]]


def test_a_prompt_stands_behind_the_leading_special_token_of_its_own_row() -> None:
    """Broken by an index that does not jump over the row's own prompt."""
    frozen = shared("bert").frozen
    prompt = Embeddings(torch.full((2, frozen.width), 3.0))
    batch = compose(frozen, [[7, 8], [9]], [prompt, None])
    vectors, real, text = batch.vectors, batch.real, batch.text
    assert batch.starts.tolist() == [3, 1]
    words = frozen.embed([1, 7, 8, 2])
    assert torch.equal(vectors[0], torch.cat([words[:1], prompt.vectors, words[1:]]))
    assert torch.equal(vectors[1, :3], frozen.embed([1, 9, 2]))
    assert real.sum(dim=1).tolist() == [6, 3]
    assert text.tolist() == [[True, False, False, True, True, True], [True] * 3 + [False] * 3]


def test_an_input_longer_than_the_position_table_is_refused() -> None:
    frozen = shared("bert").frozen
    prompt = Embeddings(torch.zeros(60, frozen.width))
    with pytest.raises(ModelError, match="67 places with its prompt, but tiny:bert has 64"):
        compose(frozen, [[7] * 5], [prompt])


def test_a_prompt_of_another_width_is_refused() -> None:
    with pytest.raises(MismatchError, match="width 33, but tiny:bert takes 32"):
        compose(shared("bert").frozen, [[7]], [Embeddings(torch.zeros(2, 33))])


def test_two_threads_sum_a_shared_prompts_gradient_in_one_order() -> None:
    """Broken by indexing the vectors: the threads then add to the gradient as they come."""
    frozen = shared("bert").frozen
    vectors = torch.randn(20, frozen.width, requires_grad=True)
    prompt = Embeddings(vectors)
    ids = (-1 - torch.arange(20)).expand(64, -1)
    pull = torch.randn(64, 20, frozen.width)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = []
        for _ in range(50):
            vectors.grad = None
            (place(frozen, ids, [prompt] * 64) * pull).sum().backward()
            found.append(vectors.grad)
    finally:
        torch.set_num_threads(threads)
    assert torch.allclose(found[0], pull.sum(dim=0), atol=1e-4)
    assert all(torch.equal(each, found[0]) for each in found)


def test_rows_that_share_an_injection_share_its_place() -> None:
    one, other = (Embeddings(torch.zeros(1, 4)) for _ in range(2))
    unique, which = distinct([one, None, other, one])
    assert [id(each) for each in unique] == [id(one), id(None), id(other)]
    assert which == [0, 1, 2, 0]


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_before_the_leading_special_tokens_equal_words_there(family: str) -> None:
    """Beside rows of other prompts; broken by putting them, or the lead, in the usual place."""
    backbone = shared(family)
    frozen, row = backbone.frozen, backbone.frozen.encode("i liked this one")
    front = frozen.encode("it was")
    prompt = Embeddings(frozen.embed(front), before_lead=True)
    usual = Embeddings(frozen.embed(front))
    ids = torch.tensor([[*front, *frozen.lead, *row, *frozen.trail]])
    with torch.no_grad():
        trunk = frozen.model.get_encoder() if frozen.kind == "encoder-decoder" else None
        raw = (trunk or frozen.model.base_model)(input_ids=ids).last_hidden_state
        found = backbone.states([row, row, row[:2]], [prompt, None, usual])
    start = len(front) + len(frozen.lead)
    torch.testing.assert_close(found[0], raw[0, start : start + len(row)], atol=1e-5, rtol=0.0)
    alone = backbone.states([row[:2]], [usual])[0]
    torch.testing.assert_close(found[2, :2], alone, atol=1e-5, rtol=0.0)


def test_a_decoder_absorbs_vectors_before_its_lead_without_it() -> None:
    backbone = shared("llama")
    assert isinstance(backbone, Decoder)
    prompt = Embeddings(backbone.frozen.embed([7, 8, 9]), before_lead=True)
    absorbed = backbone.absorb(prompt)
    assert (absorbed.length, absorbed.start, absorbed.lead) == (3, 3, False)
    assert backbone.absorb([7, 8, 9]).lead
