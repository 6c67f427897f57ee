"""An encoder-decoder that follows a decoder: rows as the decoder reads them, and how far it is."""

import pytest
import torch

from recipes import decoder, following, seq2seq
from recipes.portion import Size
from recipes.vocabulary import ASSISTANT, END, FIRST_GAP, PAD, START, USER

SHAPE = Size(width=32, layers=2, heads=2, inner=48)
ASKED = [START, USER, 50, 51, ASSISTANT]
READ = torch.tensor([[*ASKED[:-1], FIRST_GAP, END], [START, USER, 52, FIRST_GAP, END, PAD]])
WRITTEN = torch.tensor([[60, 61, END], [62, END, PAD]])


def test_a_decoder_reads_what_is_read_and_written_in_a_row() -> None:
    ids, sizes = following.in_a_row(READ, WRITTEN)
    assert ids.tolist() == [[*ASKED, 60, 61], [START, USER, 52, ASSISTANT, 62, PAD, PAD]]
    assert sizes.tolist() == [7, 5]


@torch.no_grad()
def test_a_model_that_says_what_the_decoder_says_is_no_distance_away() -> None:
    """Each row alone: the encoder says what is said up to the mark, the writer from it on."""
    told = decoder.made(SHAPE).eval()
    sides = [([*ASKED, 60, 61], 4), ([START, USER, 52, ASSISTANT, 62], 3)]
    layers, end = torch.randn(2, 2, 6, 32), torch.randn(2, 3, 32)
    for row, (ids, mark) in enumerate(sides):
        said = told.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        layers[:, row, : mark + 1] = torch.cat(said.hidden_states[1:])[:, : mark + 1]
        end[row, : len(ids) - mark] = said.last_hidden_state[0, mark:]
    assert following.distance(told, READ, WRITTEN, list(layers), end) < 1e-9
    for each, places in ((layers, (0, 1, 3)), (layers, (1, 0, 4)), (end, (0, 0)), (end, (1, 1))):
        kept = each[places].clone()
        each[places] = 0
        assert following.distance(told, READ, WRITTEN, list(layers), end) > 0.1
        each[places] = kept


def test_a_distance_is_a_share_of_what_is_told() -> None:
    told = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert following.apart(told, told) == 0
    assert following.apart(0 * told, told) == 1
    assert following.apart(told * 1.5, told) == pytest.approx(0.25)


def test_the_loss_with_a_decoder_is_the_loss_and_its_distance() -> None:
    torch.manual_seed(0)
    told, model = decoder.made(SHAPE).eval(), seq2seq.made(SHAPE).eval()
    rows = zip(READ, WRITTEN, strict=True)
    pairs = [tuple(each[each != PAD].numpy() for each in row) for row in rows]
    states = model.encoder(READ, attention_mask=(READ != PAD).long(), output_hidden_states=True)
    starts = torch.tensor([[START, 60, 61], [START, 62, END]])
    end = model.decoder(
        starts, encoder_hidden_states=states[0], encoder_attention_mask=(READ != PAD).long()
    )[0]
    apart = following.distance(told, READ, WRITTEN, states.hidden_states[1:], end)
    whole, alone = seq2seq.loss_of(model, pairs, told), seq2seq.loss_of(model, pairs)
    assert (whole - alone).item() == pytest.approx(seq2seq.FOLLOW * apart.item(), rel=1e-4)
    whole.backward()
    assert all(weight.grad is None for weight in told.parameters())
