"""Vectors of texts: the mean of the model's states, whatever else is in the batch."""

import numpy as np
import pytest
import torch

from afina.errors import ModelError
from afina.training import embedding as module
from afina.training.embedding import batches, embedding_of, load_embedding, vectors_of
from tests.tiny import shared

TEXTS = ["it was a good film", "bad", "", "the plot is dull and bright " * 3, "good"]


def by_hand(text: str) -> torch.Tensor:
    """The mean over all places of one row, without Afina's attention, pooling or batches."""
    frozen = shared("bert").frozen
    ids = [*frozen.lead, *frozen.encode(text), *frozen.trail]
    with torch.no_grad():
        trunk = getattr(frozen.model, frozen.model.base_model_prefix)
        mean = trunk(torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
    return mean / mean.norm()


@pytest.mark.parametrize("room", [1, 12, 2048])
def test_a_vector_is_the_mean_of_the_states_of_length_one(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOKENS", room)
    found = vectors_of(shared("bert"), TEXTS)
    assert found.dtype == np.float32
    for text, vector in zip(TEXTS, found, strict=True):
        assert vector == pytest.approx(by_hand(text).numpy(), abs=1e-5)


def test_a_long_text_is_cut_at_the_models_room() -> None:
    backbone = shared("bert")
    room = backbone.frozen.positions - len(backbone.frozen.lead) - len(backbone.frozen.trail)
    words = ["good", "bad"] * room
    long, cut = vectors_of(backbone, [" ".join(words), " ".join(words[:room])])
    assert np.array_equal(long, cut) or long == pytest.approx(cut, abs=1e-6)
    (shorter,) = vectors_of(backbone, [" ".join(words[: room - 1])])
    assert long != pytest.approx(shorter, abs=1e-6)


def test_no_text_has_no_vector() -> None:
    assert vectors_of(shared("bert"), []).shape == (0, shared("bert").frozen.hidden)


@pytest.mark.parametrize("room", [1, 5, 10, 100])
def test_each_row_is_in_one_batch_that_fits(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOKENS", room)
    rows = [[1] * (7 * at % 6) for at in range(40)]
    found = batches(rows)
    assert sorted(place for batch in found for place in batch) == list(range(40))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(1, *(len(rows[at]) for at in batch)) <= room


def test_the_model_is_told_by_its_name_and_weights() -> None:
    found = embedding_of(shared("bert"))
    assert (found.name, found.digest) == (shared("bert").frozen.name, shared("bert").frozen.digest)
    assert np.array_equal(found.embed(TEXTS), vectors_of(shared("bert"), TEXTS))


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no model at './nowhere'"):
        load_embedding("./nowhere")
