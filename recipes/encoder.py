"""The encoder with its masked-language head: it learns masked words and answers.

Its layers are ModernBERT's: Warner et al. 2024, https://arxiv.org/abs/2412.13663, whose
turned places need fewer steps than BERT's table of them (docs/log.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers import ModernBertConfig, ModernBertForMaskedLM

from recipes.gradients import Part
from recipes.portion import Portion, Size
from recipes.stock import Ids, Stock, answers
from recipes.vocabulary import END, FIRST_GAP, GAPS, MASK, PAD, SIZE, START

MASKED = 0.3  # of the tokens of text
ANSWERED = 0.8  # of the answers' tokens
ASKED = 0.03  # of a conversation's other tokens
PLAIN = FIRST_GAP + GAPS  # the first token that is no special one


def made(size: Size) -> ModernBertForMaskedLM:
    """An encoder with random weights, each of whose layers sees all places."""
    config = ModernBertConfig(
        vocab_size=SIZE,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.inner,
        max_position_embeddings=512,
        global_attn_every_n_layers=1,
        pad_token_id=PAD,
        bos_token_id=START,
        cls_token_id=START,
        eos_token_id=END,
        sep_token_id=END,
    )
    return ModernBertForMaskedLM._from_config(config, attn_implementation="sdpa")


def losses(stock: Stock, draw: np.random.Generator, portion: Portion) -> dict[str, Part]:
    """The mean loss of masked words, in text and in talks whose answers are masked."""
    text = stock.text_rows(draw, portion.text_rows, portion.text_places)
    text[:, -1] = END
    count = 2 * portion.talk_rows * portion.talk_places // portion.text_places
    talks = [plain_talk(stock, draw, portion.text_places) for _ in range(count)]
    talks.sort(key=lambda talk: len(talk[0]))
    own, *others = draw.spawn(3)  # of each pass, as they may run side by side
    halves = [talks[: count // 2], talks[count // 2 :]]  # short ones need no padding to long ones
    both = [(*padded(half), draw) for half, draw in zip(halves, others, strict=True)]
    return {
        "text": lambda model: loss_of(model, text, np.full(text.shape, MASKED), own),
        "talks": lambda model: torch.stack([loss_of(model, *half) for half in both]).mean(),
    }


def plain_talk(
    stock: Stock, draw: np.random.Generator, places: int
) -> tuple[Ids, NDArray[np.float64]]:
    """A conversation without its marks, as an encoder is asked, and how often each is masked."""
    talk = stock.talk(int(draw.integers(stock.first, stock.end)))
    kept = talk >= PLAIN
    ids, answered = talk[kept][: places - 2], answers(talk[None])[0][kept][: places - 2]
    shares = np.where(answered, ANSWERED, ASKED)
    return np.array([START, *ids, END], dtype=np.uint16), np.array([0.0, *shares, 0.0])


def padded(talks: Sequence[tuple[Ids, NDArray[np.float64]]]) -> tuple[Ids, NDArray[np.float64]]:
    """Rows and their chances as two arrays, padding behind."""
    shape = len(talks), max(len(ids) for ids, _ in talks)
    rows, chances = np.full(shape, PAD, dtype=np.uint16), np.zeros(shape)
    for row, chance, (ids, shares) in zip(rows, chances, talks, strict=True):
        row[: len(ids)], chance[: len(ids)] = ids, shares
    return rows, chances


def loss_of(
    model: Any, rows: Ids, shares: NDArray[np.float64], draw: np.random.Generator
) -> Tensor:
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
    states = model.model(input_ids=ids, attention_mask=real.long()).last_hidden_state
    wanted = torch.from_numpy(masked).to(model.device)
    targets = torch.from_numpy(rows.astype(np.int64)).to(model.device)
    logits = model.decoder(model.head(states[wanted]))
    return F.cross_entropy(logits.float(), targets[wanted])
