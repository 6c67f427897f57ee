"""The encoder-decoder: T5's layers; it learns left-out spans of text, and answers to talks.

Span corruption: Raffel et al. 2020, https://arxiv.org/abs/1910.10683.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from recipes.portion import Portion, Size
from recipes.stock import Ids, Stock
from recipes.vocabulary import ASSISTANT, END, FIRST_GAP, GAPS, PAD, SIZE

LEFT_OUT = 0.15  # of a text's tokens
SPAN = 3  # tokens of a span, on average
SPREAD = 0.5  # of the tables' numbers at the start; with 0.05 the tied head learns too slowly

Pair = tuple[Ids, Ids]  # what is read, what is written


def made(size: Size) -> T5ForConditionalGeneration:
    """An encoder-decoder with random weights."""
    config = T5Config(
        vocab_size=SIZE,
        d_model=size.width,
        d_kv=size.width // size.heads,
        d_ff=size.inner,
        num_layers=size.layers // 2 + 1,
        num_decoder_layers=size.layers // 2,
        num_heads=size.heads,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=True,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=PAD,
    )
    model = T5ForConditionalGeneration._from_config(config, attn_implementation="sdpa")
    torch.nn.init.normal_(model.shared.weight, std=SPREAD)
    return model


def losses(
    model: Any, stock: Stock, draw: np.random.Generator, portion: Portion
) -> dict[str, Tensor]:
    """The mean loss of left-out spans, and that of answers."""
    text = stock.text_rows(draw, portion.text_rows, portion.text_places)[:, 1:]
    rows = portion.talk_rows * portion.talk_places // portion.text_places
    return {
        "text": loss_of(model, [corrupted(row, draw) for row in text]),
        "talks": loss_of(model, [asked(stock, draw) for _ in range(rows)]),
    }


def corrupted(text: Ids, draw: np.random.Generator) -> Pair:
    """A text with gaps for spans, and the spans behind their gaps."""
    count = min(GAPS, max(1, round(len(text) * LEFT_OUT / SPAN)))
    starts = np.sort(draw.choice(len(text) // (2 * SPAN) - 1, count, replace=False)) * 2 * SPAN
    read: list[int] = []
    written: list[int] = []
    done = 0
    for gap, start in enumerate(starts, FIRST_GAP):
        start += int(draw.integers(SPAN))
        end = start + int(draw.integers(1, 2 * SPAN - 1))
        read += [*text[done:start], gap]
        written += [gap, *text[start:end]]
        done = end
    return np.array([*read, *text[done:], END]), np.array([*written, END])


def asked(stock: Stock, draw: np.random.Generator) -> Pair:
    """A conversation up to one of its answers, and that answer."""
    talk = stock.talk(int(draw.integers(stock.first, stock.end)))[1:]
    begins = np.flatnonzero(talk == ASSISTANT)
    which = len(begins) - 1 if draw.random() < 0.5 else int(draw.integers(len(begins)))
    begin = int(begins[which]) + 1
    end = begin + int(np.flatnonzero(talk[begin:] == END)[0]) + 1
    return np.array([*talk[:begin], END]), talk[begin:end]


def loss_of(model: Any, pairs: list[Pair]) -> Tensor:
    """The mean loss of what is written."""
    read, written = padded([pair[0] for pair in pairs]), padded([pair[1] for pair in pairs])
    read, written = read.to(model.device), written.to(model.device)
    starts = F.pad(written[:, :-1], (1, 0), value=PAD)
    states = model.encoder(input_ids=read, attention_mask=(read != PAD).long())[0]
    found = model.decoder(
        input_ids=starts,
        encoder_hidden_states=states,
        encoder_attention_mask=(read != PAD).long(),
        use_cache=False,
    )[0]
    wanted = written != PAD
    scale = model.config.d_model**-0.5  # as the tied head has it
    logits = model.lm_head(found[wanted] * scale)
    return F.cross_entropy(logits.float(), written[wanted])


def padded(rows: list[Ids]) -> Tensor:
    """Rows as one tensor, padding behind."""
    whole = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for place, row in zip(whole, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(whole)
