"""The one attention function: it puts each row's keys and values in front of the layer's own.

Registered with transformers under the name ``afina``, it serves every family that uses the
attention interface. What a call needs travels as the keyword ``prompt`` through the model's own
forward, so nothing is patched and gradient checkpointing replays it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "afina"


@dataclass(frozen=True)
class Prefix:
    """Keys and values for each attention site of a batch, and which of them a row may see."""

    places: dict[nn.Module, int]
    keys: Sequence[Float[Tensor, "B K P D"]]
    values: Sequence[Float[Tensor, "B K P D"]]
    visible: Bool[Tensor, "B P"] | None  # None: all of them


@dataclass(frozen=True)
class Pass:
    """What one forward pass puts in front of the attention, and what it is asked to keep."""

    prefix: Prefix | None = None
    kept: dict[nn.Module, tuple[Tensor, Tensor]] | None = field(default=None)


def attend(
    module: nn.Module,
    query: Float[Tensor, "B Q T D"],
    key: Float[Tensor, "B K S D"],
    value: Float[Tensor, "B K S D"],
    attention_mask: Tensor | None,
    prompt: Pass = Pass(),
    position_bias: Tensor | None = None,
    is_causal: bool | None = None,
    **options: object,
) -> tuple[Tensor, None]:
    """Attention as ``sdpa`` computes it, over the row's prefix and then the layer's own keys.

    Shapes: query heads Q, key-value heads K, text T, keys S (T, or more with a cache).
    """
    if prompt.kept is not None:
        prompt.kept[module] = (key, value)
    causal = bool(getattr(module, "is_causal", True)) if is_causal is None else is_causal
    causal = causal and attention_mask is None and query.shape[2] > 1
    if prompt.prefix is not None and module in prompt.prefix.places:
        attention_mask = _widen_mask(query, key, attention_mask, prompt.prefix, causal=causal)
        if position_bias is not None:
            position_bias = F.pad(position_bias, (prompt.prefix.keys[0].shape[2], 0))
        place = prompt.prefix.places[module]
        key = torch.cat([prompt.prefix.keys[place].to(key.dtype), key], dim=2)  # [B, K, P+S, D]
        value = torch.cat([prompt.prefix.values[place].to(value.dtype), value], dim=2)
        causal = False
    if position_bias is None and _is_short_backward(query, key):
        if causal:
            attention_mask = _causal_mask(query, key)
        return _attend_plainly(query, key, value, attention_mask, options.get("scaling")), None
    options |= {"position_bias": position_bias, "is_causal": causal}
    output: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, **options
    )
    return output


def _causal_mask(query: Tensor, key: Tensor) -> Bool[Tensor, "T S"]:
    shape = (query.shape[2], key.shape[2])
    return torch.ones(shape, dtype=torch.bool, device=query.device).tril()


def _widen_mask(
    query: Tensor, key: Tensor, mask: Tensor | None, prefix: Prefix, *, causal: bool
) -> Tensor | None:
    """The layer's mask with the prefix's columns in front: bool, or float where it is added."""
    rows, texts, columns = query.shape[0], query.shape[2], key.shape[2]
    if mask is None and not causal and prefix.visible is None:
        return None
    if causal:
        mask = _causal_mask(query, key)
    elif mask is None:
        mask = torch.ones(1, columns, dtype=torch.bool, device=query.device)
    mask = mask.expand(rows, 1, texts, columns)
    length = prefix.keys[0].shape[2]
    seen = prefix.visible
    if seen is None:
        seen = torch.ones(1, length, dtype=torch.bool, device=query.device)
    front = seen[:, None, None, :].expand(rows, 1, texts, length)
    if mask.dtype != torch.bool:
        front = torch.zeros_like(front, dtype=mask.dtype).masked_fill(
            ~front, torch.finfo(mask.dtype).min
        )
    return torch.cat([front, mask], dim=3)  # [B, 1, T, P+S]


def _is_short_backward(query: Tensor, key: Tensor) -> bool:
    """PyTorch's fused backward in bfloat16 on the CPU is ten times slower than plain products.

    Measured in docs/log.md: 19.2 against 1.5 ms at 32 x 12 heads x 40 positions x 32.
    """
    return (
        query.device.type == "cpu"
        and query.dtype == torch.bfloat16
        and query.requires_grad
        and query.shape[2] * key.shape[2] <= 256 * 256
    )


def _attend_plainly(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: object
) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    scale = scaling if isinstance(scaling, float) else query.shape[-1] ** -0.5
    scores = torch.matmul(query * scale, key.transpose(2, 3))  # [B, Q, T, P+S]
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
    weights = scores.softmax(dim=-1).to(value.dtype)
    return torch.matmul(weights, value).transpose(1, 2).contiguous()  # [B, T, Q, D]


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
