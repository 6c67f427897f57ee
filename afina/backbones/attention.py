"""The one attention function: it puts each row's keys and values in front of the layer's own.

Registered with transformers under the name ``afina``, it serves every family that uses the
attention interface. What a call needs travels as the keyword ``prompt`` through the model's own
forward, so nothing is patched and gradient checkpointing replays it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "afina"
MOST_BEHIND = 64  # queries a row that are multiplied apart from the front; all weights are held


@dataclass(frozen=True)
class Near:
    """How far what stands in front is, for attention that weighs distances.

    ``table`` is added for a distance of N places. A row's own places count from ``starts``, the
    front's from 0; where a row starts at 0, its front is at no distance and nothing is added.
    """

    table: Float[Tensor, "Q N"]
    starts: Int[Tensor, "B"]


@dataclass(frozen=True)
class Front:
    """Keys and values in front of one attention site's own, and which of them a row may see."""

    keys: Float[Tensor, "B K P D"]
    values: Float[Tensor, "B K P D"]
    visible: Bool[Tensor, "B P"] | None = None  # None: all of them
    near: Near | None = None


Fronts = Mapping[nn.Module, Sequence[Front | None]]  # one each time a pass meets the module


@dataclass(frozen=True)
class Kept:
    """The own keys and values of one attention site."""

    site: nn.Module
    keys: Float[Tensor, "B K S D"]
    values: Float[Tensor, "B K S D"]


@dataclass(frozen=True)
class Pass:
    """What one forward pass puts in front of the attention, and what it is asked to keep.

    ``met`` counts how often the pass has met a module that several layers share, as in ALBERT.
    """

    fronts: Fronts = field(default_factory=dict)
    kept: list[Kept] | None = None
    met: Counter[nn.Module] = field(default_factory=Counter)

    @property
    def keywords(self) -> dict[str, "Pass"]:
        """What a model's forward is called with: nothing where there is nothing to do."""
        return {"prompt": self} if self.fronts or self.kept is not None else {}


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
        prompt.kept.append(Kept(module, key, value))
    causal = bool(getattr(module, "is_causal", True)) if is_causal is None else is_causal
    causal = causal and attention_mask is None and query.shape[2] > 1
    front = _front(module, prompt, len(query))
    if front is not None and position_bias is None and _is_one_for_all(query, front):
        if causal:
            attention_mask = _causal_mask(query, key)
        scaling = options.get("scaling")
        return _attend_behind(query, key, value, attention_mask, front, scaling), None
    if front is not None:
        attention_mask = _widen_mask(query, key, attention_mask, front, causal=causal)
        if position_bias is not None:
            position_bias = _widen_bias(position_bias, front)
        key = torch.cat([front.keys.to(key.dtype), key], dim=2)  # [B, K, P+S, D]
        value = torch.cat([front.values.to(value.dtype), value], dim=2)
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


def _is_one_for_all(query: Tensor, front: Front) -> bool:
    """Whether all rows read one front, longer than they are, and nothing is trained."""
    one = front.keys.stride(0) == 0 and front.visible is None and len(query) > 1
    short = query.shape[2] <= min(MOST_BEHIND, front.keys.shape[2])
    return one and short and not (query.requires_grad or front.keys.requires_grad)


def _attend_behind(
    query: Float[Tensor, "B Q T D"],
    key: Float[Tensor, "B K S D"],
    value: Float[Tensor, "B K S D"],
    mask: Tensor | None,
    front: Front,
    scaling: object,
) -> Float[Tensor, "B T Q D"]:
    """The same attention, each part multiplied by itself: the front with all rows' queries at once.

    Copying a front of 1,000 places for each of 32 rows takes longer than all the rest of a layer.
    """
    (rows, _, texts, size), heads = query.shape, key.shape[1]
    scale = scaling if isinstance(scaling, float) else size**-0.5
    grouped = (query * scale).unflatten(1, (heads, -1))  # [B, K, G, T, D]
    places = front.keys.shape[2]
    keys, values = front.keys[0].to(key.dtype), front.values[0].to(value.dtype)  # [K, P, D]
    folded = grouped.transpose(0, 1).flatten(1, 3)  # [K, B*G*T, D]
    before = (folded @ keys.transpose(1, 2)).view(heads, rows, -1, texts, places).transpose(0, 1)
    own = grouped @ key[:, :, None].transpose(3, 4)  # [B, K, G, T, S]
    if mask is not None and mask.dtype == torch.bool:
        own = own.masked_fill(~mask[..., None, :, :], torch.finfo(own.dtype).min)
    elif mask is not None:
        own = own + mask[:, :, None]
    weights = torch.cat([before, own], dim=4).float().softmax(dim=-1).to(value.dtype)
    folded = weights[..., :places].transpose(0, 1).flatten(1, 3)  # [K, B*G*T, P]
    output = (folded @ values).view(heads, rows, -1, texts, size).transpose(0, 1)
    output = output + weights[..., places:] @ value[:, :, None]  # [B, K, G, T, D]
    return output.flatten(1, 2).transpose(1, 2).contiguous()  # [B, T, Q, D]


def _front(module: nn.Module, prompt: Pass, rows: int) -> Front | None:
    """What stands in front at this meeting; beams of one row, side by side, share the row's."""
    fronts = prompt.fronts.get(module)
    if fronts is None:
        return None
    meeting = prompt.met[module] % len(fronts)
    prompt.met[module] += 1
    front = fronts[meeting]
    if front is None or len(front.keys) == rows:
        return front
    beams = rows // len(front.keys)
    return Front(
        front.keys.repeat_interleave(beams, dim=0),
        front.values.repeat_interleave(beams, dim=0),
        None if front.visible is None else front.visible.repeat_interleave(beams, dim=0),
        None
        if front.near is None
        else Near(front.near.table, front.near.starts.repeat_interleave(beams)),
    )


def _causal_mask(query: Tensor, key: Tensor) -> Bool[Tensor, "T S"]:
    shape = (query.shape[2], key.shape[2])
    return torch.ones(shape, dtype=torch.bool, device=query.device).tril()


def _widen_mask(
    query: Tensor, key: Tensor, mask: Tensor | None, front: Front, *, causal: bool
) -> Tensor | None:
    """The layer's mask with the front's columns before it: bool, or float where it is added."""
    rows, texts, columns = query.shape[0], query.shape[2], key.shape[2]
    if mask is None and not causal and front.visible is None:
        return None
    if causal:
        mask = _causal_mask(query, key)
    elif mask is None:
        mask = torch.ones(1, columns, dtype=torch.bool, device=query.device)
    mask = mask.expand(rows, 1, texts, columns)
    length = front.keys.shape[2]
    seen = front.visible
    if seen is None:
        seen = torch.ones(1, length, dtype=torch.bool, device=query.device)
    before = seen[:, None, None, :].expand(rows, 1, texts, length)
    if mask.dtype != torch.bool:
        before = torch.zeros_like(before, dtype=mask.dtype).masked_fill(
            ~before, torch.finfo(mask.dtype).min
        )
    return torch.cat([before, mask], dim=3)  # [B, 1, T, P+S]


def _widen_bias(bias: Float[Tensor, "R Q T S"], front: Front) -> Tensor:
    """The layer's bias with the front's columns before it: zeros, or what their distance adds."""
    length, near = front.keys.shape[2], front.near
    if near is None:
        return F.pad(bias, (length, 0))
    texts, columns = bias.shape[2], bias.shape[3]
    step = torch.arange(columns - texts, columns, device=bias.device)
    place = torch.arange(length, device=bias.device)
    distance = near.starts[:, None, None] + step[:, None] - place  # [B, T, P]
    added = near.table[:, distance.clamp(0, near.table.shape[1] - 1)].transpose(0, 1)
    before = added.masked_fill((near.starts == 0)[:, None, None, None], 0.0)  # [B, Q, T, P]
    return torch.cat([before.to(bias.dtype), bias.expand(len(before), -1, -1, -1)], dim=3)


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
