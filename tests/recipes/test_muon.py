"""Muon beside PyTorch's, which multiplies in bfloat16 alone, and its steps in float32."""

import pytest
import torch
from torch import Tensor

from recipes.muon import Muon, orthogonal

SHAPES = [(24, 24), (16, 40), (40, 16)]


def weights(seed: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draw).requires_grad_() for shape in SHAPES]


def moved(optimiser: torch.optim.Optimizer, own: list[Tensor]) -> list[Tensor]:
    """What three steps along the same gradients leave."""
    for seed in (1, 2, 3):
        for weight, gradient in zip(own, weights(seed), strict=True):
            weight.grad = gradient.detach()
        optimiser.step()
    return [weight.detach() for weight in own]


def test_its_steps_are_those_of_pytorch() -> None:
    ours, theirs = weights(0), weights(0)
    found = moved(Muon(ours, 0.1, 0.2, precision=torch.bfloat16), ours)
    wanted = moved(torch.optim.Muon(theirs, 0.1, 0.2, adjust_lr_fn="match_rms_adamw"), theirs)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_become_nearly_equal_and_vectors_stay(shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=draw)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonal(matrix) @ right.T
    assert values.max() / values.min() > 2.5
    torch.testing.assert_close(found, found.diagonal().diag(), atol=1e-4, rtol=0)
    assert 0.6 < found.diagonal().min() <= found.diagonal().max() < 1.3
