"""A target's log-probability, token by token."""

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from tests.tiny import DECODERS, ENCODER_DECODERS, shared

ROWS, TARGETS = [[6, 7], [8, 9, 10, 11], [7]], [[12, 13, 14], [15], [16, 17]]


def prompt(backbone: Backbone) -> Embeddings:
    generator = torch.Generator().manual_seed(1)
    return Embeddings(torch.randn(3, backbone.frozen.width, generator=generator))


@pytest.mark.parametrize("family", [*DECODERS, *ENCODER_DECODERS])
def test_each_token_is_what_one_more_token_adds(family: str) -> None:
    """Rows and targets of other lengths beside them. Broken by leaving the padding at the left."""
    backbone = shared(family)
    soft = prompt(backbone)
    found = backbone.token_likelihood(ROWS, TARGETS, [soft] * 3)
    assert found.shape == (3, 3)
    for number, (row, target) in enumerate(zip(ROWS, TARGETS, strict=True)):
        sums = [
            backbone.likelihood([row], [target[: end + 1]], [soft]) for end in range(len(target))
        ]
        apart = torch.cat(sums).diff(prepend=torch.zeros(1))
        torch.testing.assert_close(found[number, : len(target)], apart, atol=1e-5, rtol=0)
        assert not found[number, len(target) :].any()


def test_an_encoder_says_it_mask_by_mask() -> None:
    """Broken by splitting the masks evenly over the rows."""
    backbone = shared("bert")
    mask, soft = backbone.frozen.tokenizer.mask_token_id, prompt(backbone)
    rows, targets = [[6, mask, mask], [mask, 9]], [[12, 13], [14]]
    found = backbone.token_likelihood(rows, targets, [soft] * 2)
    alone = backbone.token_likelihood(rows[1:], targets[1:], [soft])
    torch.testing.assert_close(found[1], torch.cat([alone[0], torch.zeros(1)]), atol=1e-5, rtol=0)
    whole = backbone.likelihood(rows, targets, [soft] * 2)
    torch.testing.assert_close(found.sum(dim=1), whole, atol=1e-5, rtol=0)
