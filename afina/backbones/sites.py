"""A backbone's attention sites, and how the prompts of a batch come to stand in front of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from afina.backbones.attention import NAME, Front, Fronts, Kept
from afina.backbones.frozen import Frozen
from afina.backbones.injection import KeyValues, distinct
from afina.errors import MismatchError, ModelError


class Place(StrEnum):
    """Where an attention site reads: a text, the answer so far, or the text from the answer."""

    ENCODER = "encoder"
    DECODER = "decoder"
    CROSS = "cross"


@dataclass(frozen=True)
class Site:
    """One attention of a pass: a module, how often it was met before, and the shape it takes."""

    module: nn.Module
    meeting: int
    place: Place
    heads: int  # K
    size: int  # D


def check_takes_fronts(frozen: Frozen) -> None:
    """Refuse a model whose attention is not the one that takes keys and values in front.

    Raises:
        ModelError: it computes attention in a way of its own.
    """
    if frozen.model.config._attn_implementation != NAME:
        raise ModelError(
            f"{frozen.name} ({frozen.model.config.model_type}) computes attention in a way of its "
            "own and takes no keys and values; use vectors at its input: prompt-tuning or p-tuning"
        )


def sites_of(kept: Sequence[Kept], places: Sequence[Place]) -> tuple[Site, ...]:
    """The sites in the order in which a pass met them."""
    met: Counter[nn.Module] = Counter()
    sites = []
    for each, place in zip(kept, places, strict=True):
        heads, size = each.keys.shape[1], each.keys.shape[3]
        sites.append(Site(each.site, met[each.site], place, heads, size))
        met[each.site] += 1
    return tuple(sites)


def key_values_of(kept: Sequence[Kept], places: slice) -> KeyValues:
    """What a pass over one row kept, from some places of the row on, as a prompt.

    Raises:
        MismatchError: the sites are not all of one shape.
    """
    shapes = {(each.keys.shape[1], each.keys.shape[3]) for each in kept}
    if len(shapes) > 1:
        raise MismatchError(
            f"expected attention layers of one shape, came {sorted(shapes)} (heads, size); "
            "this model takes vectors at its input only: use prompt-tuning"
        )
    return KeyValues(
        torch.stack([each.keys[0, :, places] for each in kept]),  # [S, K, P, D]
        torch.stack([each.values[0, :, places] for each in kept]),
    )


def fronts_of(sites: Sequence[Site], prompts: Sequence[KeyValues | None]) -> Fronts:
    """The rows' prompts side by side at each site, shorter ones filled and hidden.

    Raises:
        MismatchError: a prompt is for other sites, heads or sizes.
    """
    unique, which = distinct(prompts)
    parts = [part for part in unique if isinstance(part, KeyValues)]
    if not any(part.length for part in parts):
        return {}
    for part in parts:
        check_sites(sites, part)
    used = sorted({number for part in parts for number in _numbers(sites, part)})
    longest = max(part.length for part in parts)
    filled = [_Filled.of(sites, part, used, longest) for part in unique]
    rows = torch.tensor(which, device=parts[0].keys.device)
    keys = _for_rows([each.keys for each in filled], rows)
    values = _for_rows([each.values for each in filled], rows)
    seen = torch.stack([each.seen for each in filled])[which]  # [B, S, P]
    fronts: dict[nn.Module, list[Front | None]] = {}
    for site in sites:
        fronts.setdefault(site.module, []).append(None)
    for place, number in enumerate(used):
        site, visible = sites[number], seen[:, place]
        hidden = None if bool(visible.all()) else visible.to(rows.device)
        fronts[site.module][site.meeting] = Front(keys[place], values[place], hidden)
    return {module: each for module, each in fronts.items() if any(each)}


def check_sites(sites: Sequence[Site], prompt: KeyValues) -> None:
    """Refuse keys and values that do not fit the sites they are for."""
    numbers = _numbers(sites, prompt)
    if len(numbers) != len(prompt.keys) or not all(0 <= number < len(sites) for number in numbers):
        raise MismatchError(
            f"the prompt holds keys and values of {len(prompt.keys)} attention sites, but the "
            f"model has {len(sites)}; use the model the prompt was tuned on"
        )
    heads, size = prompt.keys.shape[1], prompt.keys.shape[3]
    for number in numbers:
        wanted = sites[number].heads, sites[number].size
        if wanted != (heads, size):
            raise MismatchError(
                f"the prompt has {heads} heads of size {size}, but attention site {number} has "
                f"{wanted[0]} of size {wanted[1]}; use the model the prompt was tuned on"
            )


@dataclass(frozen=True)
class _Filled:
    """One prompt brought to the sites and the length that a batch uses."""

    keys: Float[Tensor, "S K P D"]
    values: Float[Tensor, "S K P D"]
    seen: Bool[Tensor, "S P"]

    @classmethod
    def of(
        cls, sites: Sequence[Site], prompt: KeyValues | None, used: Sequence[int], length: int
    ) -> "_Filled":
        first = sites[used[0]]
        seen = torch.zeros(len(used), length, dtype=torch.bool)
        if prompt is None:
            empty = torch.zeros(
                len(used),
                first.heads,
                length,
                first.size,
                device=next(first.module.parameters()).device,
            )
            return cls(empty, empty, seen)
        numbers = list(_numbers(sites, prompt))
        places = torch.tensor([used.index(number) for number in numbers])
        seen[places, : prompt.length] = True
        if numbers == list(used) and prompt.length == length:
            return cls(prompt.keys, prompt.values, seen)
        shape = (len(used), first.heads, length, first.size)
        return cls(_put(prompt.keys, shape, places), _put(prompt.values, shape, places), seen)


def _numbers(sites: Sequence[Site], prompt: KeyValues) -> Sequence[int]:
    return range(len(sites)) if prompt.sites is None else prompt.sites


def _put(
    part: Float[Tensor, "S K P D"], shape: tuple[int, int, int, int], places: Int[Tensor, "S"]
) -> Tensor:
    """The part at its places among more sites, filled behind to a greater length."""
    longer = torch.nn.functional.pad(part, (0, 0, 0, shape[2] - part.shape[2]))
    empty = torch.zeros(shape, dtype=part.dtype, device=part.device)
    return empty.index_copy(0, places.to(part.device), longer)


def _for_rows(
    parts: Sequence[Float[Tensor, "S K P D"]], rows: Int[Tensor, "B"]
) -> list[Float[Tensor, "B K P D"]]:
    """Each row's own part at each site; one part for all rows is a view, no copy.

    Unbound and not indexed: the way back through each index fills a tensor of all sites.
    """
    if len(parts) == 1:
        return [site.expand(len(rows), -1, -1, -1) for site in parts[0].unbind()]
    kind = torch.promote_types(parts[0].dtype, parts[-1].dtype)
    stacked = torch.stack([part.to(kind) for part in parts], dim=1)  # [S, N, K, P, D]
    if len(parts) == len(rows):  # each row has its own
        return list(stacked.unbind())
    return list(stacked.index_select(1, rows).unbind())
