"""Where the vectors of a soft prompt start.

Lester, Al-Rfou and Constant 2021 (https://arxiv.org/abs/2104.08691) find class labels better than
sampled vocabulary, and both better than uniform noise.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from afina.backbones.frozen import Frozen
from afina.errors import InputError, MismatchError, ModelError
from afina.solver import Packed

STARTS = ("labels", "text", "vocabulary")


def from_text(frozen: Frozen, text: str, length: int) -> Float[Tensor, "P H"]:
    """The embeddings of a text's tokens, repeated or cut to length.

    Raises:
        InputError: the text has no tokens.
    """
    tokens = ids_of(frozen, text)
    repeated = (tokens * (length // len(tokens) + 1))[:length]
    return frozen.embed(repeated).detach().float()


def ids_of(frozen: Frozen, text: str) -> list[int]:
    """A text's tokens.

    Raises:
        InputError: it has none.
    """
    tokens = frozen.encode(text)
    if not tokens:
        raise InputError(f"expected a text to start the prompt from, got {text!r}")
    return tokens


def from_labels(frozen: Frozen, labels: tuple[str, ...], length: int) -> Float[Tensor, "P H"]:
    """One vector a label, the mean over its tokens; repeated or cut to length.

    Raises:
        InputError: a label has no tokens.
    """
    tokens = [frozen.encode(label) for label in labels]
    if not all(tokens):
        raise InputError(
            f"expected labels that {frozen.name} can read, got {labels[tokens.index([])]!r}; "
            "start from something else"
        )
    means = [frozen.embed(ids).mean(dim=0) for ids in tokens]
    repeated = (means * (length // len(means) + 1))[:length]
    return torch.stack(repeated).detach().float()


def from_vocabulary(
    frozen: Frozen, length: int, generator: torch.Generator, *, most_common: int = 5000
) -> Float[Tensor, "P H"]:
    """Embeddings of common words."""
    ids = common_ids(frozen, length, generator, most_common=most_common)
    return frozen.embed(ids).detach().float()


def common_ids(
    frozen: Frozen, count: int, generator: torch.Generator, *, most_common: int = 5000
) -> list[int]:
    """Words sampled from the first ``most_common`` ids that stand for words.

    Vocabularies are ordered by frequency or by the order of merges, so these are common words.
    Special tokens, bytes and the places that BERT's vocabulary keeps free are left out.

    Raises:
        ModelError: the vocabulary has no words.
    """
    tokens = frozen.tokenizer.convert_ids_to_tokens(list(range(len(frozen.tokenizer))))
    words = [token for token, text in enumerate(tokens) if stands_for_a_word(text)][:most_common]
    if not words:
        raise ModelError(f"{frozen.name} has no words to start from; use start=text")
    picks = torch.randint(len(words), (count,), generator=generator)
    return [words[pick] for pick in picks.tolist()]


def stands_for_a_word(token: str | None) -> bool:
    """Whether an entry holds letters and is none of ``[unused1]``, ``<0x0A>``, ``</s>``.

    >>> [stands_for_a_word(token) for token in ("film", "##ing", "Ġthe", "[unused1]", "!", "<s>")]
    [True, True, True, False, False, False]
    """
    bare = (token or "").lstrip("#Ġ▁")
    return any(letter.isalpha() for letter in bare) and bare[0] not in "[<"


def from_prompt(frozen: Frozen, packed: Packed, length: int) -> Float[Tensor, "P H"]:
    """Another prompt's vectors, repeated or cut to length.

    Raises:
        InputError: what was packed holds no prompt.
        MismatchError: it belongs to other weights.
    """
    if "prompt" not in packed.arrays:
        raise InputError(f"expected a bundle with a soft prompt to start from, got {packed.kind!r}")
    vectors = torch.from_numpy(packed.arrays["prompt"].copy())
    check_same_weights(frozen, packed)
    return vectors.repeat(length // len(vectors) + 1, 1)[:length].float()


def check_same_weights(frozen: Frozen, packed: Packed) -> None:
    """Refuse to start from a prompt of another model.

    Raises:
        MismatchError: it belongs to other weights.
    """
    if packed.settings.get("digest") != frozen.digest:
        raise MismatchError(
            f"the prompt to start from was tuned on {packed.settings.get('model')!r}, whose "
            f"weights are not those of {frozen.name}; start from a prompt of the same model"
        )
