"""How rows of tokens and their prompts become one padded batch; positions and masks are ours."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Embeddings, Injections, KeyValues, distinct
from afina.errors import MismatchError, ModelError


def padded(
    rows: Sequence[Tokens], pad: int, *, left: bool = False, device: torch.device | None = None
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Ids and the mask of real tokens, filled on the right or on the left."""
    width = max(len(row) for row in rows)
    ids, mask = [], []
    for row in rows:
        empty = width - len(row)
        filled, real = [pad] * empty, [False] * empty
        ids.append([*filled, *row] if left else [*row, *filled])
        mask.append([*real, *[True] * len(row)] if left else [*[True] * len(row), *real])
    return (
        torch.tensor(ids, dtype=torch.long, device=device),
        torch.tensor(mask, dtype=torch.bool, device=device),
    )


def compose(
    frozen: Frozen, rows: Sequence[Tokens], injections: Injections
) -> tuple[Float[Tensor, "B N H"], Bool[Tensor, "B N"], Bool[Tensor, "B N"]]:
    """Input vectors of ``lead | prompt | text | trail | pad`` for a model that reads both ways.

    Returns the vectors, the mask of real places, and the mask of places that are no prompt. One
    vectorised gather places every row's own prompt, whatever its length.
    """
    device = frozen.model.device
    whole = [[*frozen.lead, *row, *frozen.trail] for row in rows]
    ids, _ = padded(whole, frozen.pad, device=device)
    vectors, starts, lengths = _stack(frozen, injections)
    counts = torch.tensor([len(row) for row in whole], device=device)
    check_room(frozen, int((counts + lengths).max()))
    lead, width = len(frozen.lead), ids.shape[1]
    place = torch.arange(int((counts + lengths).max()), device=device)[None, :]  # [1, N]
    in_prompt = (place >= lead) & (place < lead + lengths[:, None])  # [B, N]
    word = torch.where(place < lead, place, (place - lengths[:, None]).clamp(min=0, max=width - 1))
    row_start = len(vectors) + torch.arange(len(rows), device=device)[:, None] * width
    index = torch.where(in_prompt, starts[:, None] + place - lead, row_start + word)  # [B, N]
    table = torch.cat([vectors, frozen.embed(ids).flatten(0, 1)])  # [S+B*T, H]
    real = place < (counts + lengths)[:, None]
    batch = table.index_select(0, index.flatten()).view(*index.shape, -1)  # [B, N, H]
    return batch, real, real & ~in_prompt


def check_room(frozen: Frozen, places: int) -> None:
    """Refuse an input that is longer than the model's position table."""
    if places > frozen.positions:
        raise ModelError(
            f"an input takes {places} places with its prompt, but {frozen.name} has "
            f"{frozen.positions}; shorten the prompt or the text"
        )


def check_fits(frozen: Frozen, embeddings: Embeddings) -> None:
    """Refuse a prompt whose vectors are of another width than the model's."""
    width = embeddings.vectors.shape[1]
    if width != frozen.width:
        raise MismatchError(
            f"the prompt's vectors have width {width}, but {frozen.name} takes {frozen.width}; "
            "use the model the prompt was tuned on"
        )


def _stack(
    frozen: Frozen, injections: Injections
) -> tuple[Float[Tensor, "S H"], Int[Tensor, "B"], Int[Tensor, "B"]]:
    """All distinct prompts under each other, and each row's start and length among them."""
    unique, which = distinct(injections)
    parts, starts, lengths, total = [], [], [], 0
    for injection in unique:
        match injection:
            case None:
                length = 0
            case Embeddings():
                check_fits(frozen, injection)
                parts.append(injection.vectors)
                length = injection.length
            case KeyValues():
                raise ModelError(f"{frozen.name} is no causal decoder and takes vectors only")
        starts.append(total)
        lengths.append(length)
        total += length
    device = frozen.model.device
    stacked = torch.cat(parts) if parts else torch.zeros(0, frozen.width, device=device)
    rows = torch.tensor(which, device=device)
    return (
        stacked,
        torch.tensor(starts, device=device)[rows],
        torch.tensor(lengths, device=device)[rows],
    )
