"""The doctor finds what was planted, and is content where nothing is wrong."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.soft.reading import Read
from afina.task.task import Task
from afina.training.doctor import (
    RATES,
    Diagnosis,
    Finding,
    answers,
    examine,
    learns_by_heart,
    look,
    padding,
    probe_rates,
    room,
    wanted,
)
from afina.training.prompt_run import PromptTuningSettings, build_prompt
from afina.training.soft_run import Built, solver_of
from tests.tiny import FAMILIES, shared, tiny
from tests.training.tiny_task import review_task, text_task, worded_task

SETTINGS = PromptTuningSettings(length=3, new_tokens=3)


def built(
    family: str, *, task: Task | None = None, rate: float = 0.3, answer: str = "auto"
) -> Built:
    settings = replace(SETTINGS, rate=rate, answer=answer)
    return build_prompt(task or review_task(train=24, dev=8), shared(family), settings)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_is_fine_in_every_family(family: str) -> None:
    assert padding(built(family, answer="head")).fine


def test_a_model_that_reads_its_padding_is_found() -> None:
    """A control: features that take the mean over all places of the batch."""
    one = built("bert", answer="head")

    def careless(backbone: Backbone, rows: list[Read], injections: list[object]) -> Tensor:
        longest = max(len(row.tokens) for row in rows)
        return torch.tensor([[sum(row.tokens) / longest] for row in rows])

    one.learner.answer.gather = careless
    assert not padding(one).fine


def test_rows_that_do_not_fit_are_counted() -> None:
    one = built("bert")
    rows = [Read([7] * 5, cut=0), Read([7] * 9, cut=4), Read([7] * 9, cut=1)]
    found = room(replace(one, prepared=replace(one.prepared, rows=rows)))
    assert not found.fine
    assert "the longest row has 13 tokens" in found.text
    assert "2 of 3 rows lose 5 tokens (tiny:bert has 64 places)" in found.text
    assert room(one).fine


def test_what_counts_in_the_loss_is_told() -> None:
    head, words = built("bert"), built("gpt2", task=worded_task(train=8, dev=4))
    text = built("gpt2", task=text_task(train=8, dev=4), answer="text")
    assert wanted(head).text == "one label a row counts, 2 labels"
    assert wanted(words).text.startswith("8 tokens of label words count")
    targets = sum(len(row.target) for row in text.prepared.rows)
    assert wanted(text).text.startswith(f"{targets} target tokens count")


def test_a_label_without_training_rows_is_named() -> None:
    one = built("bert")
    rows = [replace(row, label=0) for row in one.prepared.rows]
    found = wanted(replace(one, prepared=replace(one.prepared, rows=rows)))
    assert not found.fine
    assert "no training row has negative" in found.text


def test_one_answer_to_everything_is_an_alarm() -> None:
    task, one = review_task(train=24, dev=8), built("bert")
    with torch.no_grad():
        one.prepared.answer.head.bias.copy_(torch.tensor([50.0, 0.0]))
    found = answers(task, solver_of(one.learner, one.prepared))
    assert not found.fine
    assert "1 answer to 8 dev rows; 'positive' to 100%" in found.text


def test_the_rate_whose_short_run_ends_lowest_is_named() -> None:
    losses = probe_rates([built("bert", rate=rate) for rate in (1e-9, 0.3)])
    assert losses[1] < losses[0]
    assert Diagnosis((), ((0.1, 2.0), (0.3, 1.0), (1.0, float("inf")))).rate == 0.3
    assert Diagnosis((), ((0.1, float("inf")),)).rate is None


def test_a_prompt_that_cannot_learn_is_found() -> None:
    """Eight rows by heart with a rate; none without, and without a head that moves."""
    assert learns_by_heart(built("bert", rate=0.3)).fine
    task = review_task(train=8, dev=4)
    still = replace(SETTINGS, rate=1e-12, head_rate=1e-12)
    assert not learns_by_heart(build_prompt(task, shared("bert"), still)).fine


def test_the_whole_examination_leaves_the_model_as_it_was() -> None:
    backbone, task = tiny("bert"), review_task(train=24, dev=8)
    before = backbone.frozen.digest

    def build(few: Task, rate: float | None) -> Built:
        own = SETTINGS if rate is None else replace(SETTINGS, rate=rate)
        return build_prompt(few, backbone, own)

    found = examine(task, build)
    names = [each.name for each in found.findings]
    assert names == ["padding", "room", "loss", "rate", "answers", "by heart"]
    assert found.rate in RATES
    assert backbone.frozen.digest == before
    assert all(isinstance(each, Finding) for each in look(build(task, None)))
