"""A portrait of a soft prompt: the words nearest to its vectors, their norms, how alike they are.

Lester, Al-Rfou and Constant 2021, section 7 (https://arxiv.org/abs/2104.08691), look at the nearest
words by cosine. They are no explanation: Khashabi et al. 2022, "Prompt Waywardness"
(https://arxiv.org/abs/2112.08348), train prompts that solve a task as well while their nearest
words spell a text of any other meaning. We add each vector's norm beside that of the model's words,
and look at keys and values too, which have no words.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn.functional import normalize

from afina.backbones.frozen import Frozen
from afina.backbones.injection import Embeddings, Injection, KeyValues

NEAREST = 5  # words a vector


@dataclass(frozen=True)
class NearWord:
    """A word of the vocabulary as it is written, and the cosine of the angle to it."""

    word: str
    similarity: float


@dataclass(frozen=True)
class Place:
    """One of a prompt's P places.

    ``norm`` is of its vector, or of its keys and values over all sites; ``relative`` is the norm in
    units of the mean norm of the model's words. Keys and values have no ``near`` words.
    """

    norm: float
    relative: float | None = None
    near: tuple[NearWord, ...] = ()


@dataclass(frozen=True)
class Site:
    """The mean norms of a prompt's keys and of its values, over its places, at a site."""

    keys: float
    values: float


@dataclass(frozen=True)
class Portrait:
    """What can be seen of a prompt; ``similarity`` holds the cosines of its places, P rows of P."""

    places: tuple[Place, ...]
    sites: tuple[Site, ...]
    similarity: tuple[tuple[float, ...], ...]


def portrait(prompt: Injection, frozen: Frozen) -> Portrait:
    """Look at a prompt of a frozen model."""
    with torch.no_grad():
        match prompt:
            case Embeddings():
                return of_vectors(prompt.vectors, frozen)
            case KeyValues():
                return of_keys_and_values(prompt.keys, prompt.values)


def of_vectors(vectors: Float[Tensor, "P H"], frozen: Frozen) -> Portrait:
    """The portrait of vectors among the words."""
    ids = ordinary_ids(frozen)
    words = frozen.embed(ids).float()  # [V, H]
    vectors = vectors.to(words.device).float()
    norms = words.norm(dim=1)
    usual = float(norms.mean())
    similarities, found = nearest(vectors, words, norms)
    near = (
        tuple(NearWord(frozen.decode([ids[at]]), value) for at, value in zip(*each, strict=True))
        for each in zip(found.tolist(), similarities.tolist(), strict=True)
    )
    places = tuple(
        Place(norm, norm / usual, close)
        for norm, close in zip(vectors.norm(dim=1).tolist(), near, strict=True)
    )
    return Portrait(places, (), cosines(vectors))


def ordinary_ids(frozen: Frozen) -> list[int]:
    """The ids of the words that a text may have: no special tokens, no rows that fill the table."""
    special = set(frozen.tokenizer.all_special_ids)
    rows = frozen.model.get_input_embeddings().weight.shape[0]
    return [token for token in range(min(rows, len(frozen.tokenizer))) if token not in special]


def nearest(
    vectors: Float[Tensor, "P H"], words: Float[Tensor, "V H"], norms: Float[Tensor, " V"]
) -> tuple[Float[Tensor, "P N"], Integer[Tensor, "P N"]]:
    """The cosines of the nearest words of each vector, the nearest first, and which they are."""
    # The table may take gigabytes, so the products are divided and no copy of it is.
    products = normalize(vectors, dim=1) @ words.T  # [P, V]
    cosines = products / norms.clamp_min(torch.finfo(norms.dtype).tiny)
    found = cosines.clamp(-1.0, 1.0).topk(min(NEAREST, len(words)), dim=1)
    return found.values, found.indices


def of_keys_and_values(
    keys: Float[Tensor, "S K P D"], values: Float[Tensor, "S K P D"]
) -> Portrait:
    """The portrait of keys and values, over all sites."""
    sites = torch.stack([keys, values]).float().movedim(3, 1)  # [2, P, S, K, D]
    by_site = sites.flatten(3).norm(dim=3).mean(dim=1)  # [2, S]
    whole = sites.movedim(1, 0).flatten(1)  # [P, 2*S*K*D]
    return Portrait(
        tuple(Place(norm) for norm in whole.norm(dim=1).tolist()),
        tuple(Site(key, value) for key, value in by_site.T.tolist()),
        cosines(whole),
    )


def cosines(vectors: Float[Tensor, "P H"]) -> tuple[tuple[float, ...], ...]:
    """How alike each vector is to each."""
    units = normalize(vectors.double(), dim=1)
    return tuple(tuple(row) for row in (units @ units.T).clamp(-1.0, 1.0).tolist())
