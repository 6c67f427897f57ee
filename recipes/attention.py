"""Attention for training on a CPU: products of whole matrices, which bfloat16 makes fast there.

The fused kernel takes two to four times as long on a CPU with bfloat16 (docs/log.md); the numbers
are the same but for rounding.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

WHOLE = "whole"  # as transformers knows it


def whole(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    position_bias: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of heads [B, H, Q, D] over keys and values, whose heads may be shared.

    Gives [B, Q, H, D]. A mask and a bias are added to the scores.
    """
    shared = query.shape[1] // key.shape[1]
    key, value = (each.repeat_interleave(shared, dim=1) for each in (key, value))
    scores = torch.matmul(query * scaling, key.transpose(-1, -2))  # [B, H, Q, K]
    for added in (position_bias, attention_mask):
        if added is not None:
            scores = scores + added.to(scores.dtype)
    with torch.autocast(query.device.type, enabled=False):
        shares = torch.softmax(scores, dim=-1)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), None


def attend(model: Any, *, whole_matrices: bool) -> Any:
    """The model with this attention or the fused one."""
    AttentionInterface.register(WHOLE, whole)
    AttentionMaskInterface.register(WHOLE, eager_mask)
    model.set_attn_implementation(WHOLE if whole_matrices else "sdpa")
    return model
