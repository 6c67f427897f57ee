"""The losses that are trained on, beside what transformers computes from the same rows."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recipes import decoder, encoder, seq2seq
from recipes.portion import Portion, Size
from recipes.stock import Stock
from recipes.vocabulary import ASSISTANT, END, FIRST_GAP, MASK, PAD, START, USER

TINY = Size(width=32, layers=2, heads=2, inner=48)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_conversation_in_a_packed_row_costs_what_it_costs_alone() -> None:
    model = decoder.made(TINY).eval()
    one = [START, USER, 50, 51, ASSISTANT, 60, END]
    two = [START, USER, 70, ASSISTANT, 80, 81, END]
    packed = np.array([[*one, *two, PAD, PAD]], dtype=np.uint16)
    wanted = np.zeros(packed.shape, dtype=bool)
    wanted[0, 11:14] = True  # the second's answer
    ids = torch.tensor([two])
    labels = torch.where(torch.arange(7) >= 4, ids, -100)
    alone = model(input_ids=ids, labels=labels).loss
    assert decoder.loss_of(model, packed, wanted).item() == pytest.approx(alone.item(), abs=1e-5)


def test_an_encoder_decoders_loss_is_that_of_its_own_head() -> None:
    model = seq2seq.made(TINY).eval()
    read, written = [USER, 50, 51, ASSISTANT, END], [60, 61, 62, END]
    short = (np.array([70, END]), np.array([80, END]))
    both = seq2seq.loss_of(model, [(np.array(read), np.array(written)), short])
    losses = [
        model(input_ids=torch.tensor([list(x)]), labels=torch.tensor([list(y)])).loss * len(y)
        for x, y in ((read, written), short)
    ]
    assert both.item() == pytest.approx(sum(losses).item() / 6, abs=1e-5)


def test_a_head_of_an_encoder_decoder_begins_with_its_slope_over_distances() -> None:
    model = seq2seq.made(TINY)
    reading, writing = (
        part.block[0].layer[0].SelfAttention.compute_bias(9, 9)[0]
        for part in (model.encoder, model.decoder)
    )
    places = torch.arange(9.0)
    behind = (places[:, None] - places).clamp(min=0)
    slopes = torch.tensor([2**-4, 2**-8])[:, None, None]
    torch.testing.assert_close(writing, -slopes * behind)
    near = behind + behind.T < 4  # further ones share a bucket with nearer ones there
    torch.testing.assert_close(reading[:, near], (-slopes * (behind + behind.T))[:, near])
    assert (reading[:, 0, 8] <= reading[:, 0, 3]).all()


def test_a_texts_parts_together_are_the_text() -> None:
    text = np.arange(100, 355, dtype=np.uint16)
    read, written = seq2seq.parted(text, 70)
    assert [*read[:-1], *written[:-1]] == text.tolist()
    assert read[-1] == written[-1] == END
    assert len(read) == 71


def test_an_encoder_decoder_reads_a_steps_texts_and_talks_whole_with_little_padding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths = [4 + place * 7 % 120 for place in range(200)]
    talks = [[START, USER, *[50] * length, ASSISTANT, 60, END] for length in lengths]
    starts = np.cumsum([0, *map(len, talks)])
    whole = np.array(list(chain.from_iterable(talks)), dtype=np.uint16)
    stock = Stock(np.full(5000, 70, np.uint16), whole, whole, starts, last=0)
    places, tokens = {"read": 0, "written": 0}, {"read": 0, "written": 0}

    def counted(model: object, pairs: list[seq2seq.Pair], decoder: object) -> torch.Tensor:
        for name, rows in zip(places, zip(*pairs, strict=True), strict=True):
            places[name] += len(rows) * max(map(len, rows))
            tokens[name] += sum(map(len, rows))
        return torch.zeros(())

    monkeypatch.setattr(seq2seq, "loss_of", counted)
    parts = seq2seq.losses(stock, np.random.default_rng(0), Portion())
    parts["text"](None)
    assert sum(tokens.values()) == 16 * (256 + 2)
    assert places == tokens
    parts["talks"](None)
    assert places["read"] < 1.1 * tokens["read"]


def test_a_talk_is_asked_for_one_of_its_answers_mostly_for_the_last() -> None:
    turns = [[USER, 50 + n, ASSISTANT, *[60 + n] * (n % 3 + 1), END] for n in range(6)]
    talk = [START, *chain.from_iterable(turns)]
    whole = np.array(talk, dtype=np.uint16)
    stock = Stock(whole, whole, whole, np.array([0, len(talk)]), last=0)
    counts = Counter[int]()
    for seed in range(80):
        read, written = seq2seq.asked(stock, np.random.default_rng(seed))
        *begun, mark, end = read.tolist()
        assert (mark, end) == (FIRST_GAP, END)
        number = begun.count(END)
        assert [*begun, ASSISTANT, *written] == [START, *chain.from_iterable(turns[: number + 1])]
        counts[number] += 1
    assert set(counts) == set(range(6))
    assert counts[5] > 40


def test_an_encoders_loss_is_that_of_masked_tokens_alone() -> None:
    model = encoder.made(TINY).eval()
    rows = np.array([[START, 50, 51, 52, END, PAD]], dtype=np.uint16)
    shares = np.array([[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]])
    seen = {
        round(encoder.loss_of(model, rows, shares, np.random.default_rng(seed)).item(), 4)
        for seed in range(40)
    }
    ids = torch.tensor([[START, 50, MASK, 52, END]])
    masked = F.cross_entropy(model(input_ids=ids).logits[:, 2], torch.tensor([51]))
    kept = F.cross_entropy(
        model(input_ids=torch.tensor([[START, 50, 51, 52, END]])).logits[:, 2], torch.tensor([51])
    )
    assert {round(masked.item(), 4), round(kept.item(), 4)} <= seen
    assert 2 < len(seen) < 15  # the others are words in its place


def test_a_talk_reaches_an_encoder_without_marks_and_its_answers_are_known() -> None:
    talk = [START, USER, 50, ASSISTANT, 60, END]
    stock = Stock(np.zeros(1), np.zeros(1), np.array(talk * 2), np.array([0, 6, 12]), last=0)
    talks = [encoder.plain_talk(stock, np.random.default_rng(0), places) for places in (8, 3)]
    rows, shares = encoder.padded(talks)
    assert rows.tolist() == [[START, 50, 60, END], [START, 50, END, PAD]]
    assert shares.tolist() == [
        [0.0, encoder.ASKED, encoder.ANSWERED, 0.0],
        [0.0, encoder.ASKED, 0.0, 0.0],
    ]
