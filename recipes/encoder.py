"""The encoder with its masked-language head: BERT's layers; it learns masked words and answers."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM

from recipes.portion import Portion, Size
from recipes.stock import Ids, Stock, answers
from recipes.vocabulary import END, FIRST_GAP, GAPS, MASK, PAD, SIZE, START

MASKED = 0.2  # of the tokens of text
ANSWERED = 0.8  # of the answers' tokens
PLAIN = FIRST_GAP + GAPS  # the first token that is no special one


def made(size: Size) -> BertForMaskedLM:
    """An encoder with random weights; it drops nothing, since it sees little twice."""
    config = BertConfig(
        vocab_size=SIZE,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.inner * 3 // 2,
        max_position_embeddings=512,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=END,
    )
    return BertForMaskedLM._from_config(config, attn_implementation="sdpa")


def losses(
    model: Any, stock: Stock, draw: np.random.Generator, portion: Portion
) -> dict[str, Tensor]:
    """The mean loss of masked words, in text and in talks whose answers are masked."""
    text = stock.text_rows(draw, portion.text_rows, portion.text_places)
    text[:, -1] = END
    rows = portion.talk_rows * portion.talk_places // portion.text_places
    talks, answered = plain_talks(stock, draw, rows, portion.text_places)
    shares = np.where(answered, ANSWERED, MASKED / 4)
    return {
        "text": loss_of(model, text, draw, np.full(text.shape, MASKED)),
        "talks": loss_of(model, talks, draw, shares),
    }


def plain_talks(
    stock: Stock, draw: np.random.Generator, rows: int, places: int
) -> tuple[Ids, np.ndarray]:
    """A conversation a row without its marks, as an encoder is asked, and where answers stand."""
    found = np.full((rows, places), PAD, dtype=np.uint16)
    wanted = np.zeros((rows, places), dtype=bool)
    for row, answered in zip(found, wanted, strict=True):
        talk = stock.talk(int(draw.integers(stock.first, stock.end)))
        kept = talk >= PLAIN
        ids, marks = talk[kept][: places - 2], answers(talk[None])[0][kept][: places - 2]
        row[: len(ids) + 2] = [START, *ids, END]
        answered[1 : len(ids) + 1] = marks
    return found, wanted


def loss_of(model: Any, rows: Ids, draw: np.random.Generator, shares: np.ndarray) -> Tensor:
    """The mean loss of tokens masked with given chances; special tokens never are.

    Of those masked, one in ten stands as it is and one in ten is another word, so that every
    word's state is of use: Devlin et al. 2019, https://arxiv.org/abs/1810.04805.
    """
    masked = (draw.random(rows.shape) < shares) & (rows >= PLAIN)
    way = draw.random(rows.shape)
    shown = np.where(masked & (way < 0.8), MASK, rows)
    other = draw.integers(PLAIN, SIZE, rows.shape)
    shown = np.where(masked & (way >= 0.9), other, shown)
    ids = torch.from_numpy(shown.astype(np.int64)).to(model.device)
    real = torch.from_numpy(rows != PAD).to(model.device)
    states = model.bert(input_ids=ids, attention_mask=real.long()).last_hidden_state
    wanted = torch.from_numpy(masked).to(model.device)
    targets = torch.from_numpy(rows.astype(np.int64)).to(model.device)
    return F.cross_entropy(model.cls(states[wanted]).float(), targets[wanted])
