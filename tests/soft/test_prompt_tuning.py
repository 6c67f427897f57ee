"""The parameter of prompt tuning is its vectors in units of the model's own."""

import pytest
import torch

from afina.soft.learner import SoftPrompt
from afina.soft.prompt_tuning import PromptTuning
from tests.tiny import shared


@pytest.mark.parametrize("scale", [1.0, 0.05, 33.0])
def test_scaling_keeps_the_vectors(scale: float) -> None:
    """Broken by scaling once, on the way in or on the way out."""
    vectors = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))
    prompt = PromptTuning(vectors, scale=scale)
    assert isinstance(prompt, SoftPrompt)
    torch.testing.assert_close(prompt.injection().vectors, vectors, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(prompt.scaled, vectors / scale)


def test_a_step_is_in_units_of_the_scale() -> None:
    """One step of Adam moves each number by the rate, times the scale."""
    vectors = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    prompt = PromptTuning(vectors, scale=0.05)
    optimizer = torch.optim.Adam(prompt.parameters(), lr=0.1)
    prompt.injection().vectors.sum().backward()
    optimizer.step()
    moved = vectors - prompt.injection().vectors
    torch.testing.assert_close(moved, torch.full((2, 8), 0.1 * 0.05), atol=1e-6, rtol=1e-4)


def test_only_the_prompt_gets_a_gradient() -> None:
    backbone = shared("gpt2")
    prompt = PromptTuning(torch.randn(3, 32), scale=0.1)
    row = backbone.frozen.encode("the plot is")
    backbone.likelihood([row], [[7]], [prompt.injection()]).sum().backward()
    assert prompt.scaled.grad is not None
    assert bool((prompt.scaled.grad.abs().sum(dim=1) > 0).all())
    assert all(weight.grad is None for weight in backbone.frozen.model.parameters())
