"""A soft prompt starts from words of the model, or from another prompt of it."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from afina.backbones.frozen import Frozen
from afina.errors import InputError, MismatchError
from afina.soft.init import from_labels, from_prompt, from_text, from_vocabulary
from afina.solver import Packed
from tests.tiny import FAMILIES, SPECIALS, shared


@pytest.fixture
def frozen() -> Frozen:
    return shared("bert").frozen


def words(frozen: Frozen, text: str) -> torch.Tensor:
    return frozen.embed(frozen.encode(text))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("length", "same"), [(1, "good"), (3, "good bad film")])
def test_a_text_is_cut_to_length(family: str, length: int, same: str) -> None:
    frozen = shared(family).frozen
    start = from_text(frozen, "good bad film it", length)
    assert torch.equal(start, words(frozen, same))
    assert start.dtype == torch.float32
    assert not start.requires_grad


@pytest.mark.parametrize(
    ("length", "same"), [(2, "good bad"), (3, "good bad good"), (5, "good bad good bad good")]
)
def test_a_text_is_repeated_to_length(frozen: Frozen, length: int, same: str) -> None:
    """Broken by repeating as often as the length has tokens, rounded down."""
    assert torch.equal(from_text(frozen, "good bad", length), words(frozen, same))


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_a_text_without_tokens_is_refused(frozen: Frozen, text: str) -> None:
    with pytest.raises(InputError, match="expected a text to start the prompt from, got '"):
        from_text(frozen, text, 2)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_labels_are_the_means_of_their_words(frozen: Frozen, length: int) -> None:
    """Broken by taking a label's first word alone."""
    one, other = words(frozen, "very good film").mean(dim=0), words(frozen, "bad")[0]
    start = from_labels(frozen, ("very good film", "bad"), length)
    torch.testing.assert_close(start, torch.stack([one, other] * 3)[:length], atol=0.0, rtol=0.0)


def test_a_label_without_tokens_is_refused(frozen: Frozen) -> None:
    """Broken by taking the mean of nothing, which is no number."""
    with pytest.raises(InputError, match="expected labels that tiny:bert can read, got ' '"):
        from_labels(frozen, ("good", " "), 2)


def test_vocabulary_is_sampled_by_the_generator(frozen: Frozen) -> None:
    def sample(seed: int, length: int = 6) -> torch.Tensor:
        return from_vocabulary(frozen, length, torch.Generator().manual_seed(seed))

    assert torch.equal(sample(0), sample(0))
    assert not torch.equal(sample(0), sample(1))
    assert sample(0, length=1).shape == (1, 32)
    assert sample(0, length=200).shape == (200, 32)


def test_vocabulary_leaves_special_tokens_out(frozen: Frozen) -> None:
    """Broken by sampling all ids: 500 draws out of 49 words then hold a special one."""
    start = from_vocabulary(frozen, 500, torch.Generator().manual_seed(0))
    table = frozen.model.get_input_embeddings().weight
    special = {tuple(row) for row in table[: len(SPECIALS)].tolist()}
    ordinary = {tuple(row) for row in table[len(SPECIALS) :].tolist()}
    sampled = {tuple(row) for row in start.tolist()}
    assert not sampled & special
    assert sampled <= ordinary


def test_vocabulary_is_the_first_and_so_the_commonest_words(frozen: Frozen) -> None:
    generator = torch.Generator().manual_seed(0)
    start = from_vocabulary(frozen, 100, generator, most_common=3)
    assert len({tuple(row) for row in start.tolist()}) == 3


@pytest.mark.parametrize(("length", "places"), [(1, [0]), (2, [0, 1]), (5, [0, 1, 2, 0, 1])])
def test_another_prompt_is_cut_or_repeated(frozen: Frozen, length: int, places: list[int]) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
    start = from_prompt(frozen, packed(frozen, vectors), length)
    assert np.array_equal(start.numpy(), vectors[places])


def test_the_other_prompt_is_not_moved_with_the_new_one(frozen: Frozen) -> None:
    """Broken by sharing its memory."""
    vectors = np.ones((2, 32), np.float32)
    from_prompt(frozen, packed(frozen, vectors), 2).zero_()
    assert vectors.min() == 1


def test_a_prompt_of_another_model_is_refused(frozen: Frozen) -> None:
    """Broken by comparing widths alone."""
    other = packed(shared("roberta").frozen, np.zeros((2, 32), np.float32))
    with pytest.raises(MismatchError, match="whose weights are not those of tiny:bert"):
        from_prompt(frozen, other, 2)


def packed(frozen: Frozen, vectors: NDArray[np.float32]) -> Packed:
    return Packed("soft", {"digest": frozen.digest, "model": frozen.name}, {"prompt": vectors})


def test_a_bundle_without_a_prompt_is_refused(frozen: Frozen) -> None:
    with pytest.raises(InputError, match=r"expected a bundle with a soft prompt .* got 'majority'"):
        from_prompt(frozen, Packed("majority", {}), 2)
