"""Features of many rows are those of each."""

import pytest
import torch

from afina.backbones.injection import Embeddings
from afina.soft.reading import Reader, labelled_rows
from afina.training.features import features_of
from tests.tiny import shared
from tests.training.tiny_task import review_task

LABELS = ("positive", "negative")


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("length", [0, 4])
def test_each_row_has_its_own_features_in_its_own_place(family: str, length: int) -> None:
    """40 rows, so two batches; broken by filling them in the order of their length."""
    backbone, task = shared(family), review_task(train=40, dev=2)
    rows = labelled_rows(task, Reader(backbone.frozen, task.signature, 60), LABELS)
    prompt = Embeddings(torch.randn(length, 32) * 0.3) if length else None
    together = features_of(backbone, rows, prompt)
    alone = torch.cat([backbone.features([row.tokens], [prompt]) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0.0)
    assert not together.requires_grad
