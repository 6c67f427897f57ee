"""Where an encoder-decoder's answer begins to count, when keys and values stand in front of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from afina.backbones.attention import Front, Fronts, Near
from afina.backbones.frozen import Frozen
from afina.backbones.layout import check_room
from afina.backbones.sites import Place, Site
from afina.errors import ModelError


def near(sites: Sequence[Site], fronts: Fronts, starts: Int[Tensor, "B"]) -> Fronts:
    """The fronts with their distance from the answer, where the decoder weighs distances (T5).

    Rows that start at 0 see their prompt from no distance.
    """
    if not bool(starts.any()):
        return fronts
    table, found = None, dict(fronts)
    for site in sites:
        if site.place is not Place.DECODER:
            continue
        table = _table(site.module, table)
        if table is None or site.module not in fronts:
            continue
        found[site.module] = [_with(front, Near(table, starts)) for front in fronts[site.module]]
    return found


def _with(front: Front | None, distance: Near) -> Front | None:
    return None if front is None else replace(front, near=distance)


def _table(module: nn.Module, before: Float[Tensor, "Q N"] | None) -> Float[Tensor, "Q N"] | None:
    """What the layer, or the one before, adds by distance; the last is for all that is farther."""
    if not isinstance(getattr(module, "relative_attention_bias", None), nn.Embedding):
        return before
    layer: Any = module  # a transformers class: T5 and its kin share these names
    farthest = int(layer.relative_attention_max_distance)
    table: Tensor = layer.compute_bias(farthest + 1, 1)[0, :, :, 0]
    return table


@contextmanager
def counting_from(frozen: Frozen, starts: Int[Tensor, "B"]) -> Iterator[None]:
    """Let each row's answer begin at a position of its own, where the decoder has a position table.

    Transformers takes no positions for such decoders, so the table's answer is replaced.

    Raises:
        ModelError: the model counts in a way we do not know, or its table ends too early.
    """
    decoder: Any = frozen.model.get_decoder()  # a transformers class: BART and its kin
    table = getattr(decoder, "embed_positions", None)
    if table is None or not bool(starts.any()):
        yield
        return

    def shifted(module: nn.Module, inputs: Any, keywords: Any, output: Tensor) -> Tensor:
        positions = keywords.get("position_ids")
        if positions is None:
            raise ModelError(
                f"{frozen.name} ({frozen.model.config.model_type}) counts its answer's places in a "
                "way of its own; use keys and values that start at 0"
            )
        beams = len(inputs[0]) // len(starts)  # side by side
        places = starts.repeat_interleave(beams)[:, None] + positions  # [B, T]
        check_room(frozen, int(places.max()) + 1)
        found: Tensor = module.forward(*inputs, position_ids=places.flatten())
        return found.view(*places.shape, output.shape[-1])  # [B, T, H]

    hook = table.register_forward_hook(shifted, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def begins(frozen: Frozen, starts: Sequence[int]) -> Int[Tensor, "B"]:
    """The starts of a batch's rows on the model's device."""
    return torch.tensor(starts, dtype=torch.long, device=frozen.model.device)
