"""How rows of tokens and their prompts become one padded batch; positions and masks are ours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import (
    Embeddings,
    Injection,
    Injections,
    KeyValues,
    distinct,
    slot,
)
from afina.errors import MismatchError, ModelError


@dataclass(frozen=True)
class Layout:
    """A right-padded batch of ``lead | prompt | row | trail | pad``, as input vectors.

    A prompt that is to stand before the lead does.
    """

    vectors: Float[Tensor, "B N H"]
    real: Bool[Tensor, "B N"]  # no padding
    text: Bool[Tensor, "B N"]  # neither padding nor a prompt's vector
    kinds: Int[Tensor, "B N"] | None  # 1 behind a row's first separator, for models that tell
    starts: Int[Tensor, "B"]  # where the row's own tokens begin
    positions: Int[Tensor, "B N"] | None = None  # None: counted as the model does


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


def compose(frozen: Frozen, rows: Sequence[Tokens], injections: Injections) -> Layout:
    """The batch for a model that reads both ways; keys and values take no place in it."""
    check_named(rows, injections)
    fronts = [_front(frozen, injection) for injection in injections]
    whole = [[*front, *row, *frozen.trail] for front, row in zip(fronts, rows, strict=True)]
    check_room(frozen, max(map(len, whole)))
    ids, real = padded(whole, frozen.pad, device=frozen.model.device)
    starts = torch.tensor([len(front) for front in fronts], device=ids.device)
    return Layout(
        place(frozen, ids, injections), real, real & (ids >= 0), _kinds(frozen, ids), starts
    )


def place(
    frozen: Frozen, ids: Int[Tensor, "B N"], injections: Injections
) -> Float[Tensor, "B N H"]:
    """Input vectors: words looked up, and each row's own vectors at its slots, in one gather.

    Raises:
        ModelError: a row names a slot that its prompt does not have.
    """
    words = frozen.embed(ids.clamp(min=0))
    soft = ids < 0
    if not bool(soft.any()):
        return words
    vectors, starts, lengths = _stack(frozen, injections)
    number = -1 - ids
    if bool((soft & (number >= lengths[:, None])).any()):
        raise ModelError(
            f"a row names vector {int(number.max())} of its prompt, which has "
            f"{int(lengths.max())} at most; use the template the prompt was tuned with"
        )
    index = (starts[:, None] + number)[soft]
    # Looked up and not indexed: the way back through an index adds in the order threads come.
    found = F.embedding(index, vectors).to(words.dtype)
    return words.index_put(soft.nonzero(as_tuple=True), found)


def counted(frozen: Frozen, layout: Layout, injections: Injections) -> Layout:
    """The layout with the positions of rows that begin behind those of their keys and values."""
    begins = [each.start if isinstance(each, KeyValues) else 0 for each in injections]
    if not any(begins):
        return layout
    places = layout.real.sum(dim=1) + torch.tensor(begins, device=layout.real.device)
    check_room(frozen, int(places.max()))
    step = torch.arange(layout.real.shape[1], device=places.device)
    positions = torch.tensor(begins, device=places.device)[:, None] + step
    last = (places - 1)[:, None]  # padding, which none reads, counts no further
    return replace(layout, positions=positions.minimum(last) + frozen.first_position)


def pooled(states: Float[Tensor, "B N H"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B H"]:
    """The mean of the states at the places of a mask."""
    weight = mask[:, :, None].to(states.dtype)  # [B, N, 1]
    return (states * weight).sum(dim=1) / weight.sum(dim=1)


def own_tokens(
    states: Float[Tensor, "B N H"], starts: Int[Tensor, "B"], rows: Sequence[Tokens]
) -> Float[Tensor, "B T H"]:
    """The states of each row's own tokens, right-padded with zeros to the longest row."""
    lengths = torch.tensor([len(row) for row in rows], device=states.device)
    step = torch.arange(int(lengths.max()), device=states.device)
    index = (starts[:, None] + step).clamp(max=states.shape[1] - 1)  # [B, T]
    own = states.gather(1, index[:, :, None].expand(-1, -1, states.shape[2]))
    return own * (step < lengths[:, None])[:, :, None]


def check_named(rows: Sequence[Tokens], injections: Injections) -> None:
    """Refuse a row that names no place for vectors that stand where rows name them."""
    for row, injection in zip(rows, injections, strict=True):
        if isinstance(injection, Embeddings) and injection.anywhere and min(row, default=0) >= 0:
            raise ModelError(
                f"a row names no place for the {injection.length} vectors of its prompt, which "
                "would be left out; use the template the prompt was tuned with"
            )


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


def _front(frozen: Frozen, injection: Injection | None) -> list[int]:
    """What stands in front of a row's own tokens: the lead, and slots of the row's prompt."""
    match injection:
        case Embeddings(anywhere=False, before_lead=first):
            slots = [slot(number) for number in range(injection.length)]
            return [*slots, *frozen.lead] if first else [*frozen.lead, *slots]
    return list(frozen.lead)


def _kinds(frozen: Frozen, ids: Int[Tensor, "B N"]) -> Int[Tensor, "B N"] | None:
    """1 behind the first separator of a pair, where the model was trained to tell them apart."""
    if not frozen.tells_pairs:
        return None
    separators = (ids == frozen.tokenizer.sep_token_id).long()
    kinds: Tensor = (separators.cumsum(dim=1) - separators).clamp(max=1)
    return kinds


def _stack(
    frozen: Frozen, injections: Injections
) -> tuple[Float[Tensor, "S H"], Int[Tensor, "B"], Int[Tensor, "B"]]:
    """All distinct vectors under each other, and each row's start and length among them."""
    unique, which = distinct(injections)
    parts, starts, lengths, total = [], [], [], 0
    for injection in unique:
        length = 0
        if isinstance(injection, Embeddings):
            check_fits(frozen, injection)
            parts.append(injection.vectors)
            length = injection.length
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
