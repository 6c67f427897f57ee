"""Features of many rows are those of each, and a head starts from a fit on them."""

import pytest
import torch

from afina.backbones.injection import Embeddings
from afina.soft.heads import fit_probe
from afina.soft.reading import Reader, labelled_rows
from afina.training.features import features_of, start_head
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


def test_a_head_starts_from_the_features_under_the_prompt() -> None:
    """Broken by fitting it to the features without the prompt."""
    backbone, task = shared("bert"), review_task(train=16, dev=2)
    rows = labelled_rows(task, Reader(backbone.frozen, task.signature, 60), LABELS)
    prompt = Embeddings(torch.randn(4, 32))
    head = start_head(backbone, rows, prompt, classes=2, strength=0.1)
    labels = torch.tensor([row.label for row in rows])
    wanted = fit_probe(features_of(backbone, rows, prompt), labels, classes=2, strength=0.1)
    assert torch.equal(head.weight, wanted.weight)
    other = fit_probe(features_of(backbone, rows, None), labels, classes=2, strength=0.1)
    assert not torch.equal(head.weight, other.weight)
