"""Where the keys and values of a prefix start, and how large a model's own are.

Li and Liang 2021 (https://arxiv.org/abs/2101.00190, section 7.4) find the keys and values of real
words better than random ones, even of words that have nothing to do with the task.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.decoder import Decoder
from afina.backbones.frozen import Tokens
from afina.backbones.injection import KeyValues
from afina.errors import ArtefactError, InputError
from afina.soft.init import check_same_weights, common_ids
from afina.soft.packed_arrays import finite
from afina.soft.packed_prompt import unpack_prompt
from afina.solver import Packed

STARTS = ("random", "text", "vocabulary", "zero")
MEASURED = 64  # words that the sizes are measured on


def sizes_of(backbone: Backbone) -> Float[Tensor, "2 S"]:
    """Root mean square of each site's own keys, and of its values, over common words.

    Raises:
        ModelError: the model takes no keys and values.
        MismatchError: its sites are not all of one shape.
    """
    words = common_ids(backbone.frozen, MEASURED, torch.Generator().manual_seed(0))
    read = backbone.read(words[: room_for(backbone)])
    parts = torch.stack([read.keys, read.values]).float()  # [2, S, K, P, D]
    return parts.pow(2).mean(dim=(2, 3, 4)).sqrt()


def from_chance(
    backbone: Backbone,
    sizes: Float[Tensor, "2 S"],
    length: int,
    generator: torch.Generator,
    *,
    values: bool,
) -> KeyValues:
    """Random keys as large as the sites' own, and ``values`` likewise, or of 0.

    Keys of 0 too would leave all places alike: each would get the same gradient at every step.
    """
    site = backbone.sites()[0]
    shape = (2, sizes.shape[1], site.heads, length, site.size)
    drawn = torch.randn(shape, generator=generator).to(sizes.device)
    parts = drawn * sizes[:, :, None, None, None]
    return of_length(
        backbone, KeyValues(parts[0], parts[1] if values else parts[1].zero_()), length
    )


def from_words(backbone: Backbone, words: Tokens, length: int) -> KeyValues:
    """The keys and values of written words, repeated or cut to length."""
    repeated = (list(words) * (length // len(words) + 1))[:length]
    read = backbone.read(repeated[: room_for(backbone)])
    return of_length(backbone, read, length)


def from_prefix(backbone: Backbone, packed: Packed, length: int, sites: Sequence[int]) -> KeyValues:
    """Another run's keys and values at some sites, repeated or cut to length.

    Raises:
        InputError: what was packed holds no keys and values, or not those of all the sites.
        MismatchError: it belongs to other weights.
        ArtefactError: it is damaged.
    """
    if packed.settings.get("prompt") != "keys-and-values":
        raise InputError(
            f"expected a bundle with keys and values to start from, got {packed.kind!r} with "
            f"prompt {packed.settings.get('prompt')!r}; name a run of prefix-tuning or p-tuning-v2"
        )
    check_same_weights(backbone.frozen, packed)
    try:
        prompt = unpack_prompt(packed.settings, finite(packed), backbone)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"the bundle lacks or garbles {error}; tune the prompt anew") from error
    assert isinstance(prompt, KeyValues)
    missing = sorted(set(sites) - set(numbers_of(prompt)))
    if missing:
        raise InputError(
            f"expected a run with keys and values at attention sites {list(sites)} to start from, "
            f"got one without {missing}; choose the places and layers it has"
        )
    return of_length(backbone, prompt, length)


def at_sites(prompt: KeyValues, sites: Sequence[int]) -> KeyValues:
    """Only the keys and values of some of a prompt's sites."""
    held = list(numbers_of(prompt))
    rows = [held.index(site) for site in sites]
    return replace(prompt, keys=prompt.keys[rows], values=prompt.values[rows], sites=tuple(sites))


def numbers_of(prompt: KeyValues) -> Sequence[int]:
    """The numbers of the sites that a prompt is for."""
    return range(len(prompt.keys)) if prompt.sites is None else prompt.sites


def of_length(backbone: Backbone, prompt: KeyValues, length: int) -> KeyValues:
    """A prompt repeated or cut to length; what follows a decoder's has its position behind it."""
    times = (1, 1, length // prompt.length + 1, 1)
    return replace(
        prompt,
        keys=prompt.keys.float().repeat(times)[:, :, :length].clone(),
        values=prompt.values.float().repeat(times)[:, :, :length].clone(),
        start=length if isinstance(backbone, Decoder) else 0,
    )


def room_for(backbone: Backbone) -> int:
    """How many words the model reads at once, beside its special tokens."""
    frozen = backbone.frozen
    return frozen.positions - len(frozen.lead) - len(frozen.trail)
