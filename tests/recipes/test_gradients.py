"""Gradients of parts: those of their weighted sum, the same on one thread or on two."""

import numpy as np
import torch

from recipes import decoder
from recipes.gradients import gradients, mixed, workers
from recipes.portion import Portion, Size
from recipes.stock import Stock
from recipes.vocabulary import ASSISTANT, END, START, USER

TINY = Size(width=32, layers=2, heads=2, inner=48)
SMALL = Portion(text_rows=4, text_places=48, talk_rows=2, talk_places=96)
WEIGHTS = {"text": 1.0, "talks": 0.5}


def stock() -> Stock:
    text = np.array([100 + place % 50 for place in range(5000)], dtype=np.uint16)
    talk = np.array([START, USER, 60, ASSISTANT, 61, END] * 20, dtype=np.uint16)
    return Stock(text, text, talk, np.arange(21) * 6, last=0)


def told(threads: int) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    torch.manual_seed(0)
    model = decoder.made(TINY)
    parts = decoder.losses(stock(), np.random.default_rng(0), SMALL)
    with workers(threads) as pool:
        losses = gradients(model, parts, WEIGHTS, pool)
    return losses, [weight.grad for weight in model.parameters()]


def test_they_are_those_of_the_weighted_sum() -> None:
    losses, found = told(1)
    torch.manual_seed(0)
    model = decoder.made(TINY)
    parts = decoder.losses(stock(), np.random.default_rng(0), SMALL)
    with mixed(model):
        whole = {name: part(model) for name, part in parts.items()}
    (whole["text"] + 0.5 * whole["talks"]).backward()
    assert {name: loss.item() for name, loss in losses.items()} == {
        name: loss.item() for name, loss in whole.items()
    }
    for own, weight in zip(found, model.parameters(), strict=True):
        assert weight.grad.abs().max() > 0
        torch.testing.assert_close(own, weight.grad, rtol=0.02, atol=1e-4)


def test_two_threads_give_the_very_numbers_of_one() -> None:
    one, two = told(1), told(2)
    assert one[0] == two[0]
    assert all(torch.equal(*both) for both in zip(one[1], two[1], strict=True))
