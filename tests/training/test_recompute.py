"""Gradient checkpointing and bfloat16 in training: what they may change, and what not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from afina.backbones.backbone import with_precision
from afina.backbones.injection import Embeddings, Injections
from afina.errors import InputError, ModelError
from afina.method_settings import read_settings, typed_settings
from afina.soft.soft_solver import SoftSolver
from afina.training.train import Outcome
from tests.backbones.test_identities import TEXTS, rows_for
from tests.backbones.test_key_values import key_values, vectors
from tests.tiny import FRONTED, shared, tiny
from tests.training.test_prompt_run import LOOP, SETTINGS, task_for, tune

ALIKE = {"atol": 1e-6, "rtol": 0.0}
WAYS = [("bert", "head"), ("gpt2", "text"), ("gpt2", "head"), ("bart", "text"), ("llama", "words")]


def tuned(family: str, kind: str, folder: Path, *, recompute: bool) -> tuple[SoftSolver, Outcome]:
    settings = replace(SETTINGS, train=replace(LOOP, recompute=recompute))
    return tune(task_for(kind), tiny(family), folder, settings=settings)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_recomputing_changes_no_loss_and_no_prompt(family: str, kind: str, tmp_path: Path) -> None:
    """Broken by recomputing without the prompt; dev, which may write with a cache, is as it was."""
    plain, before = tuned(family, kind, tmp_path / "plain", recompute=False)
    again, after = tuned(family, kind, tmp_path / "again", recompute=True)
    np.testing.assert_allclose(after.moment.losses, before.moment.losses, atol=1e-6, rtol=0)
    assert after.moment.scores == before.moment.scores
    assert isinstance(plain.prompt, Embeddings)
    assert isinstance(again.prompt, Embeddings)
    torch.testing.assert_close(again.prompt.vectors, plain.prompt.vectors, **ALIKE)
    assert not again.backbone.frozen.model.training


@contextmanager
def counting() -> Iterator[list[int]]:
    """How many numbers are kept for the way back."""
    kept: list[int] = []

    def note(part: Tensor) -> Tensor:
        kept.append(part.numel())
        return part

    with saved_tensors_hooks(note, lambda part: part):
        yield kept


@pytest.mark.parametrize("family", ["bert", "gpt2", "bart"])
def test_recomputing_keeps_less(family: str) -> None:
    """Broken by layers that keep all the same."""
    backbone = shared(family)
    row = backbone.frozen.encode("it was a very good film , really " * 5)
    kept = []
    for again in (False, True):
        soft = Embeddings(vectors(backbone, 4).vectors.requires_grad_())
        with counting() as numbers:
            if again:
                with backbone.frozen.recomputing():
                    backbone.states([row], [soft])
            else:
                backbone.states([row], [soft])
        kept.append(sum(numbers))
    assert kept[1] < 0.7 * kept[0]


def test_a_model_that_cannot_recompute_is_refused(tmp_path: Path) -> None:
    """Broken by training it without a word."""
    backbone = tiny("bert")
    backbone.frozen.model.supports_gradient_checkpointing = False
    settings = replace(SETTINGS, train=replace(LOOP, recompute=True))
    with pytest.raises(ModelError, match="cannot recompute its layers"):
        tune(task_for("head"), backbone, tmp_path, settings=settings)


@pytest.mark.parametrize(("given", "wanted"), [("true", True), ("false", False), (True, True)])
def test_a_yes_or_no_is_read_from_the_command_line(given: object, wanted: bool) -> None:
    """Broken by taking every text for yes."""
    assert read_settings("prompt-tuning", {"recompute": given}, 0).train.recompute is wanted


def test_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(InputError, match="expected true or false as the setting recompute"):
        typed_settings("prompt-tuning", {"recompute": "sometimes"})


@pytest.mark.parametrize("family", FRONTED)
def test_in_bfloat16_a_row_alone_is_near_to_the_row_in_a_batch(family: str) -> None:
    """Within 0.02 of probabilities' logarithms of about 4, where float32 is within 1e-5: products
    in bfloat16 have 8 bits, and another shape is another order of sums."""
    backbone = with_precision(shared(family), "bfloat16")
    rows = rows_for(backbone, TEXTS)
    injections: Injections = [vectors(backbone, 3), key_values(backbone, 2), None, None]
    words = ["great", "awful", "nice"]
    labels = [backbone.frozen.encode(word) for word in words]
    with torch.no_grad():
        together = backbone.choose(rows, labels, injections)
        for number, (row, injection) in enumerate(zip(rows, injections, strict=True)):
            alone = backbone.choose([row], labels, [injection])[0]
            torch.testing.assert_close(together[number], alone, atol=0.02, rtol=0)
        exact = shared(family).choose(rows, labels, injections)
    assert 0 < float((together - exact).abs().max()) < 0.3
    assert backbone.write(rows, injections, tokens=3)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_training_in_bfloat16_lowers_the_loss(family: str, kind: str, tmp_path: Path) -> None:
    """Broken by parameters that are bfloat16 themselves, too coarse for small steps."""
    backbone = with_precision(tiny(family), "bfloat16")
    settings = replace(SETTINGS, train=replace(LOOP, epochs=6))
    solver, outcome = tune(task_for(kind), backbone, tmp_path, settings=settings)
    losses = outcome.moment.losses
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert isinstance(solver.prompt, Embeddings)
    assert solver.prompt.vectors.dtype == torch.float32
    assert solver.pack().settings["precision"] == "bfloat16"
