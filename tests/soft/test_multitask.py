"""The shared prompt: one for all tasks, times a matrix of rank one for each."""

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.soft.multitask import SharedPrompt
from afina.soft.prompt_tuning import PromptTuning
from tests.tiny import FAMILIES, shared

ROW = [6, 7, 8]


def vectors(backbone: Backbone, length: int = 3) -> torch.Tensor:
    return backbone.frozen.embed([9, 10, 11, 12][:length]).detach()


def test_it_starts_as_the_shared_prompt_for_every_task() -> None:
    """Bit for bit that of prompt tuning. Broken by starting the parts from noise."""
    given = vectors(shared("bert"))
    prompt = SharedPrompt(given, tasks=3, scale=0.15)
    plain = PromptTuning(given, scale=0.15).injection()
    for task in range(3):
        assert torch.equal(prompt.injection(task).vectors, plain.vectors)
    assert torch.equal(prompt.folded(), plain.vectors)


def test_a_tasks_prompt_is_the_shared_one_times_rows_times_columns() -> None:
    """The formula by hand. Broken by adding the rank-one matrix, and by another task's part."""
    prompt = SharedPrompt(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), tasks=2, scale=0.5)
    with torch.no_grad():
        prompt.rows[1].copy_(torch.tensor([10.0, 100.0]))
        prompt.columns[1].copy_(torch.tensor([1.0, 2.0, -1.0]))
    wanted = torch.tensor([[10.0, 40.0, -30.0], [400.0, 1000.0, -600.0]])
    assert torch.equal(prompt.injection(1).vectors, wanted)
    assert torch.equal(prompt.injection(0).vectors, torch.tensor([[1.0, 2, 3], [4, 5, 6]]))


def test_folding_takes_the_mean_of_the_tasks_parts() -> None:
    """Broken by the mean of the prompts, which is another matrix."""
    prompt = SharedPrompt(torch.ones(2, 3), tasks=2, scale=1.0)
    with torch.no_grad():
        prompt.rows[0].copy_(torch.tensor([1.0, 3.0]))
        prompt.columns[1].copy_(torch.tensor([3.0, 5.0, -1.0]))
    wanted = torch.outer(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0, 0.0]))
    assert torch.equal(prompt.folded(), wanted)
    assert not prompt.folded().requires_grad


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_the_shared_and_the_own_parts_alone(family: str) -> None:
    """Broken by one parameter for all tasks' parts: the others then get gradients of 0."""
    backbone = shared(family)
    prompt = SharedPrompt(vectors(backbone), tasks=3, scale=0.15)
    backbone.features([ROW] * 2, [prompt.injection(0), prompt.injection(2)]).pow(2).sum().backward()
    reached = {name for name, each in prompt.named_parameters() if each.grad is not None}
    assert reached == {"scaled", "rows.0", "columns.0", "rows.2", "columns.2"}
    assert all(each.grad.any() for each in prompt.parameters() if each.grad is not None)
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())
