"""An encoder-decoder that begins with the layers of a trained decoder.

Zhang et al. 2025, https://arxiv.org/abs/2504.06225: what a decoder knows of words serves both
parts, which then learn to work together. Llama turns numbers by their place, T5 has a table of
distances: the turning is let go, the table begins with slopes (recipes/seq2seq.py), and of each
layer's heads the one that looks at the nearest places gets the steepest.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from recipes.stock import Stock
from recipes.vocabulary import ASSISTANT, FIRST_GAP

AHEAD = 3.0  # what places ahead have less at first: a decoder never saw any
PASSED = 2.0  # of what the encoder says, beside the 4 that the last layer reads otherwise
SEEN = 32  # places that a row has before its distances count
SAMPLE = (16, 128)  # rows and places of text


@torch.no_grad()
def adapt(model: Any, decoder: LlamaForCausalLM, stock: Stock) -> None:
    """Put a decoder's tables, norms and layers into T5's.

    Where T5 has fewer layers, they are the decoder's first ones and its last. What stands for the
    answer begins as the mark that a decoder answers behind. What the encoder says of a place is
    passed on by the last layer alone, as it is; where to look is to be learned.
    """
    told, orders = decoder.model, nearest_first(decoder, stock)
    model.shared.weight.copy_(told.embed_tokens.weight)
    model.shared.weight[FIRST_GAP].copy_(told.embed_tokens.weight[ASSISTANT])
    for part in (model.encoder, model.decoder):
        part.final_layer_norm.weight.copy_(told.norm.weight)
        taken = [*range(len(part.block) - 1), len(told.layers) - 1]
        for block, place in zip(part.block, taken, strict=True):
            put_layer(block.layer, told.layers[place], orders[place])
    table = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    table[len(table) // 2 + 1 :] -= AHEAD
    for block in model.decoder.block:
        block.layer[1].EncDecAttention.o.weight.zero_()
    last = model.decoder.block[-1].layer[1].EncDecAttention
    last.v.weight.copy_(torch.eye(len(told.norm.weight)))
    last.o.weight.copy_(torch.diag(PASSED / told.norm.weight))


def put_layer(own: Any, told: Any, order: Tensor) -> None:
    """Put one of the decoder's layers into one of T5's."""
    *attentions, inner = own
    for each in attentions:
        each.layer_norm.weight.copy_(told.input_layernorm.weight)
        put_attention(
            getattr(each, "SelfAttention", None) or each.EncDecAttention, told.self_attn, order
        )
    inner.layer_norm.weight.copy_(told.post_attention_layernorm.weight)
    dense = inner.DenseReluDense
    dense.wi_0.weight.copy_(told.mlp.gate_proj.weight)
    dense.wi_1.weight.copy_(told.mlp.up_proj.weight)
    dense.wo.weight.copy_(told.mlp.down_proj.weight)


def put_attention(own: Any, told: Any, order: Tensor) -> None:
    """Put Llama's attention into T5's, which divides no scores and shares no keys."""
    size = told.head_dim
    for mine, its in ((own.q, told.q_proj), (own.k, told.k_proj), (own.v, told.v_proj)):
        heads = its.weight.unflatten(0, (-1, size))
        heads = heads.repeat_interleave(len(order) // len(heads), dim=0)[order]
        mine.weight.copy_(heads.flatten(0, 1))
    own.q.weight.mul_(size**-0.5)
    own.o.weight.copy_(told.o_proj.weight.unflatten(1, (-1, size))[:, order].flatten(1))


def nearest_first(decoder: Any, stock: Stock) -> list[Tensor]:
    """Each layer's heads by how far back they look in text, the start left out."""
    rows = stock.kept.text_rows(np.random.default_rng(0), *SAMPLE).astype(np.int64)
    decoder.set_attn_implementation("eager")
    shares = decoder(torch.from_numpy(rows), output_attentions=True).attentions
    places = torch.arange(1, SAMPLE[1])
    back = places[SEEN - 1 :, None] - places
    return [
        ((each[:, :, SEEN:, 1:] * back).sum(-1) / each[:, :, SEEN:, 1:].sum(-1))
        .mean((0, 2))
        .argsort()
        for each in shares
    ]
