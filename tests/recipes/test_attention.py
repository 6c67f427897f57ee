"""The training's own attention gives what the fused one gives, masks, shared heads and all."""

from typing import Any

import pytest
import torch

from recipes import decoder, encoder, seq2seq
from recipes.attention import attend
from recipes.portion import Size

SIZE = Size(width=32, layers=2, heads=4, inner=48)
REAL = torch.tensor([[1] * 9, [1] * 5 + [0] * 4])
IDS = torch.arange(10, 28).reshape(2, 9)


def inputs(make: Any) -> dict[str, torch.Tensor]:
    if make is decoder.made:  # two conversations in a row
        return {"input_ids": IDS, "position_ids": torch.tensor([[*range(4), *range(5)]] * 2)}
    given = {"input_ids": IDS, "attention_mask": REAL}
    return given | ({"decoder_input_ids": IDS[:, :3]} if make is seq2seq.made else {})


@pytest.mark.parametrize("make", [decoder.made, encoder.made, seq2seq.made])
def test_both_attentions_agree_with_their_gradients(make: Any) -> None:
    torch.manual_seed(0)
    model = make(SIZE)
    found = []
    for whole_matrices in (False, True):
        attend(model, whole_matrices=whole_matrices).zero_grad()
        logits = model(**inputs(make)).logits[:, :3]
        logits.square().mean().backward()
        grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
        found.append([logits.detach(), *[grad.clone() for grad in grads]])
    for fused, own in zip(*found, strict=True):
        torch.testing.assert_close(own, fused, rtol=1e-3, atol=1e-5)
    other = {**inputs(make), "input_ids": IDS.flip(1)}
    assert not torch.allclose(model(**other).logits[:, :3], found[0][0], atol=1e-3)
