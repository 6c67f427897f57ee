"""The causal decoder: Llama's layers; it learns the next token of text, and answers in talks."""

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from recipes.gradients import Part
from recipes.portion import Portion, Size
from recipes.stock import Ids, Stock, answers, positions
from recipes.vocabulary import END, PAD, SIZE, START


def made(size: Size) -> LlamaForCausalLM:
    """A decoder with random weights."""
    config = LlamaConfig(
        vocab_size=SIZE,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads // 2,
        intermediate_size=size.inner,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    return LlamaForCausalLM._from_config(config, attn_implementation="sdpa")


def losses(stock: Stock, draw: np.random.Generator, portion: Portion) -> dict[str, Part]:
    """The mean loss of a portion's text, and that of its answers."""
    text = stock.text_rows(draw, portion.text_rows, portion.text_places)
    talks = stock.talk_rows(draw, portion.talk_rows, portion.talk_places)
    return {
        "text": partial(loss_of, rows=text, wanted=np.ones(text.shape, dtype=bool)),
        "talks": partial(loss_of, rows=talks, wanted=answers(talks)),
    }


def loss_of(model: Any, rows: Ids, wanted: np.ndarray) -> Tensor:
    """The mean loss of the wanted tokens, each told from those before in its own conversation."""
    ids, targets = torch.from_numpy(rows.astype(np.int64)), torch.from_numpy(wanted[:, 1:])
    places = torch.from_numpy(positions(rows)).to(model.device)
    ids = ids.to(model.device)
    states = model.model(input_ids=ids, position_ids=places, use_cache=False).last_hidden_state
    logits = model.lm_head(states[:, :-1][targets])  # [N, V]
    return F.cross_entropy(logits.float(), ids[:, 1:][targets])
