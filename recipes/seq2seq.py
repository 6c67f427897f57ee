"""The encoder-decoder: T5's layers; it learns to go on with a text, and answers in talks.

A text's beginning is read and its rest is written: Raffel et al. 2020, the prefix language model
of https://arxiv.org/abs/1910.10683; it tells more a step than the few words of left-out spans.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from recipes.following import distance
from recipes.gradients import Part
from recipes.portion import Portion, Size
from recipes.stock import Ids, Stock
from recipes.vocabulary import ASSISTANT, END, FIRST_GAP, PAD, SIZE, START

LAST = 0.5  # of the conversations: asked for the last answer, behind the others as examples
FOLLOW = 5.0  # of the distance from a decoder, beside the loss
GROUP = 4  # conversations of like lengths in a pass: more need much padding (docs/log.md)
SPREAD = 0.02  # of the tables' numbers at the start

Pair = tuple[Ids, Ids]  # what is read, what is written


def made(size: Size) -> T5ForConditionalGeneration:
    """An encoder-decoder with random weights."""
    config = T5Config(
        vocab_size=SIZE,
        d_model=size.width,
        d_kv=size.width // size.heads,
        d_ff=size.inner,
        num_layers=size.layers,
        num_decoder_layers=size.layers // 2 + 1,
        num_heads=size.heads,
        dropout_rate=0.0,
        feed_forward_proj="gated-silu",  # as Llama's
        tie_word_embeddings=False,  # else T5 shrinks what the head reads, which then learns slowly
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=START,
    )
    model = T5ForConditionalGeneration._from_config(config, attn_implementation="sdpa")
    torch.nn.init.normal_(model.shared.weight, std=SPREAD)
    for part in (model.encoder, model.decoder):
        slope(part.block[0].layer[0].SelfAttention)
    return model


def slope(attention: Any) -> None:
    """Begin T5's table of distances with a slope a head: far places count less, in some heads.

    ALiBi's: Press et al. 2022, https://arxiv.org/abs/2108.12409. A table that begins level has to
    grow fast to tell places apart, and then leaves the words no say in what is looked at.
    """
    table = attention.relative_attention_bias.weight  # [buckets, heads]
    buckets, heads = table.shape
    places = torch.arange(attention.relative_attention_max_distance + 1.0)
    distances = (places - places[:, None]).abs()
    slopes = 2.0 ** (-8 / heads * torch.arange(1, heads + 1))
    with torch.no_grad():
        table.copy_(torch.arange(float(buckets))[:, None].expand_as(table))
        bucket = attention.compute_bias(len(places), len(places))[0, 0].long()
        nearest = torch.zeros(buckets).scatter_reduce_(
            0, bucket.flatten(), distances.flatten(), "amin", include_self=False
        )
        table.copy_(-slopes * nearest[:, None])


def losses(
    stock: Stock, draw: np.random.Generator, portion: Portion, decoder: Any = None
) -> dict[str, Part]:
    """The mean loss of the texts' rests, and that of answers; a decoder is followed in both."""
    text = stock.text_rows(draw, portion.text_rows, portion.text_places)
    cut = int(draw.integers(text.shape[1] // 4, 3 * text.shape[1] // 4))  # of all: no padding
    pairs = [parted(row, cut) for row in text]
    count = 2 * portion.talk_rows * portion.talk_places // portion.text_places
    talks = sorted((asked(stock, draw) for _ in range(count)), key=lambda pair: len(pair[0]))
    groups = [talks[start : start + GROUP] for start in range(0, count, GROUP)]
    return {
        "text": lambda model: loss_of(model, pairs, decoder),
        "talks": lambda model: torch.stack(
            [loss_of(model, group, decoder) for group in groups]
        ).mean(),
    }


def parted(text: Ids, cut: int) -> Pair:
    """A text's beginning and its rest."""
    return np.array([*text[:cut], END]), np.array([*text[cut:], END])


def asked(stock: Stock, draw: np.random.Generator) -> Pair:
    """A conversation up to one of its answers with a mark for it, and the answer: as it is asked.

    In half of the conversations it is the last, behind the others as examples.
    """
    talk = stock.talk(int(draw.integers(stock.first, stock.end)))
    places = np.flatnonzero(talk == ASSISTANT)
    place = places[-1] if draw.random() < LAST else draw.choice(places)
    end = place + int(np.flatnonzero(talk[place:] == END)[0]) + 1
    return np.array([*talk[:place], FIRST_GAP, END]), np.array(talk[place + 1 : end])


def loss_of(model: Any, pairs: list[Pair], decoder: Any = None) -> Tensor:
    """The mean loss of what is written; with a decoder, and how far its states are."""
    read, written = padded([pair[0] for pair in pairs]), padded([pair[1] for pair in pairs])
    read, written = read.to(model.device), written.to(model.device)
    starts = F.pad(written[:, :-1], (1, 0), value=START)
    padding = None if (read != PAD).all() else (read != PAD).long()
    states = model.encoder(
        input_ids=read, attention_mask=padding, output_hidden_states=decoder is not None
    )
    found = model.decoder(
        input_ids=starts,
        encoder_hidden_states=states[0],
        encoder_attention_mask=padding,
        use_cache=False,
    )[0]
    wanted = written != PAD
    loss = F.cross_entropy(model.lm_head(found[wanted]).float(), written[wanted])
    if decoder is None:
        return loss
    return loss + FOLLOW * distance(decoder, read, written, states.hidden_states[1:], found)


def padded(rows: list[Ids]) -> Tensor:
    """Rows as one tensor, padding behind."""
    whole = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for place, row in zip(whole, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(whole)
