"""The linear probe is the best of several fits on dev, and nothing of the model moves."""

from dataclasses import replace

import pytest
import torch

from afina.backbones.frozen import digest_of
from afina.errors import InputError
from afina.soft.answer import HeadAnswer
from afina.soft.heads import fit_probe
from afina.soft.reading import Reader, labelled_rows
from afina.soft.soft_solver import unpack
from afina.training.features import features_of
from afina.training.linear_probe import STRENGTHS, probe
from afina.training.scoring import dev_score
from tests.tiny import shared, tiny
from tests.training.tiny_task import review_task, text_task

LABELS = ("positive", "negative")


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_the_strength_is_the_one_that_does_best_on_dev(family: str) -> None:
    """Broken by choosing on train, where the strongest always wins."""
    backbone, task = shared(family), review_task(train=40, dev=30)
    solver, strength = probe(task, backbone)
    reader = solver.reader
    rows = labelled_rows(task, reader, LABELS)
    features, wanted = features_of(backbone, rows, None), torch.tensor([row.label for row in rows])
    scores = []
    for each in STRENGTHS:
        head = HeadAnswer(fit_probe(features, wanted, classes=2, strength=each), LABELS)
        scores.append(dev_score(replace(solver, answer=head), task))
    assert strength == STRENGTHS[scores.index(max(scores))]
    assert dev_score(solver, task) == max(scores)


def test_a_probe_has_a_head_and_no_prompt() -> None:
    backbone = tiny("bert")
    before = digest_of(backbone.frozen.model)
    solver, _ = probe(review_task(), backbone)
    assert solver.prompt is None
    assert solver.parameters == 2 * 32 + 2
    assert digest_of(backbone.frozen.model) == before


def test_a_probe_reads_as_much_as_the_model_has_places() -> None:
    solver, _ = probe(review_task(), shared("bert"))
    assert solver.reader.room == 64 - 2
    assert solver([{"review": "good film " * 50}])[0].evidence["tokens_cut"] == 100 - 62


def test_packing_a_probe_changes_no_answer() -> None:
    backbone, task = shared("llama"), review_task()
    solver, _ = probe(task, backbone)
    inputs = [example.inputs for example in task.dev]
    again = unpack(solver.pack(), backbone)
    assert isinstance(again.reader, Reader)
    assert [(p.outputs, p.evidence) for p in again(inputs)] == [
        (p.outputs, p.evidence) for p in solver(inputs)
    ]


def test_a_target_that_is_no_choice_is_refused() -> None:
    with pytest.raises(InputError, match="expected a target that is a choice of labels"):
        probe(text_task(), shared("bert"))
