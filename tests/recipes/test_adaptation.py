"""An encoder-decoder from a decoder: what the decoder computes where distances do not count."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recipes import decoder, seq2seq
from recipes.adaptation import AHEAD, PASSED, adapt, nearest_first
from recipes.portion import Size
from recipes.stock import Stock
from recipes.vocabulary import ASSISTANT, FIRST_GAP, START

SHAPE = Size(width=32, layers=2, heads=4, inner=48)
TEXT = np.random.default_rng(0).integers(40, 90, 3000).astype(np.uint16)
STOCK = Stock(TEXT, TEXT, TEXT, np.array([0, 3000]))
ROWS = torch.tensor([[START, 50, 61, 42, 50, 77], [START, 80, 41, 45, 61, 61]])


def roughened(model: Any) -> Any:
    """Weights of a size at which each of them matters, norms among them."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return model.eval()


def states_of(told: Any) -> Tensor:
    """A decoder's states where no place is turned."""
    places, seen = torch.zeros_like(ROWS), torch.ones_like(ROWS)  # else each place is a text alone
    return told.model(ROWS, attention_mask=seen, position_ids=places).last_hidden_state


def table_of(part: Any) -> Tensor:
    return part.block[0].layer[0].SelfAttention.relative_attention_bias.weight.detach()


@torch.no_grad()
def test_both_parts_compute_what_the_decoder_does_but_for_places() -> None:
    told, model = roughened(decoder.made(SHAPE)), seq2seq.made(SHAPE).eval()
    adapt(model, told, STOCK)
    table_of(model.decoder).zero_()
    model.decoder.block[-1].layer[1].EncDecAttention.o.weight.zero_()
    nothing = torch.randn(2, 3, SHAPE.width)
    written = model.decoder(input_ids=ROWS, encoder_hidden_states=nothing, use_cache=False)[0]
    torch.testing.assert_close(written, states_of(told), atol=1e-4, rtol=1e-4)
    words = slice(FIRST_GAP + 1, None)
    said, expected = model.lm_head(written)[..., words], told.lm_head(states_of(told))[..., words]
    torch.testing.assert_close(said, expected, atol=1e-4, rtol=1e-4)
    table_of(model.encoder).zero_()[17:] = -1e9
    read = model.encoder(input_ids=ROWS)[0]
    torch.testing.assert_close(read, states_of(told), atol=1e-4, rtol=1e-4)


def test_places_ahead_count_less_at_first() -> None:
    model = seq2seq.made(SHAPE)
    before = table_of(model.encoder).clone()
    adapt(model, decoder.made(SHAPE), STOCK)
    bias = model.encoder.block[0].layer[0].SelfAttention.compute_bias(9, 9)[0]
    ahead = torch.ones(9, 9).triu(1).bool()
    assert (table_of(model.encoder) - before).unique().tolist() == pytest.approx([-AHEAD, 0.0])
    assert bias[:, ahead].max() < -AHEAD <= bias[:, ~ahead].min()


def test_a_shallower_part_has_the_first_layers_and_the_last() -> None:
    told, model = decoder.made(Size(32, 5, 4, 48)), seq2seq.made(Size(32, 4, 4, 48))
    adapt(model, told, STOCK)
    for part, places in ((model.encoder, [0, 1, 2, 4]), (model.decoder, [0, 1, 4])):
        for block, place in zip(part.block, places, strict=True):
            own = block.layer[-1].DenseReluDense.wo.weight
            assert torch.equal(own, told.model.layers[place].mlp.down_proj.weight)


@torch.no_grad()
def test_what_the_encoder_says_is_passed_on_by_the_last_layer() -> None:
    told, model = roughened(decoder.made(SHAPE)), seq2seq.made(SHAPE).eval()
    adapt(model, told, STOCK)
    first, last = (block.layer[1].EncDecAttention for block in model.decoder.block)
    said = model.encoder.final_layer_norm.weight * torch.randn(2, 1, SHAPE.width)  # of one place
    passed = [
        each(torch.ones(2, 1, SHAPE.width), key_value_states=said)[0] for each in (first, last)
    ]
    assert not passed[0].any()
    torch.testing.assert_close(passed[1], PASSED * said / told.model.norm.weight)


def test_the_mark_of_an_answer_begins_as_the_assistants() -> None:
    told, model = decoder.made(SHAPE), seq2seq.made(SHAPE)
    adapt(model, told, STOCK)
    assert torch.equal(model.shared.weight[FIRST_GAP], told.model.embed_tokens.weight[ASSISTANT])


@torch.no_grad()
def test_heads_stand_by_how_far_they_look() -> None:
    """One looks at places near its own, by their angles alone; the others look everywhere."""
    told = decoder.made(Size(width=32, layers=1, heads=4, inner=48))
    told.model.embed_tokens.weight.fill_(1.0)
    own = told.model.layers[0].self_attn
    own.k_proj.weight.fill_(1.0)
    own.q_proj.weight.zero_()[8:16] = 1.0
    assert nearest_first(told, STOCK)[0][0] == 1
    own.q_proj.weight.zero_()[24:] = 1.0
    assert nearest_first(told, STOCK)[0][0] == 3
