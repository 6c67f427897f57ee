"""Pretraining: a stopped run goes on to the same weights, and each kind of model learns."""

import json
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from afina.disk import Disk
from afina.training.checkpoint import Checkpoints
from recipes import portion, pretrain, schedule, seq2seq
from recipes.export import export
from recipes.gradients import workers
from recipes.optimiser import Optimisers
from recipes.pretrain import MODELS, Plan
from recipes.stock import Stock
from recipes.vocabulary import (
    ASSISTANT,
    END,
    FIRST_GAP,
    SIZE,
    START,
    USER,
    trained_tokenizer,
)

ROOT = Path(__file__).parent.parent.parent
TINY = portion.Size(width=32, layers=2, heads=2, inner=48)
SMALL = portion.Portion(text_rows=4, text_places=48, talk_rows=2, talk_places=96)


@pytest.fixture(autouse=True)
def tiny_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(portion.SIZES, "tiny", TINY)


def counting_stock() -> Stock:
    """Text that counts up, and conversations whose answer is the number that was said."""
    text = np.array([100 + place % 50 for place in range(5000)], dtype=np.uint16)
    one = [[START, USER, 100 + n, ASSISTANT, 100 + n, END] for n in range(50)] * 24
    return Stock(text, text[:600], np.array(one, dtype=np.uint16).ravel(), np.arange(1201) * 6)


def trained(
    plan: Plan,
    folder: Path,
    steps: int,
    stop_after: int | None = None,
    begin: Path | None = None,
) -> dict:
    with torch.random.fork_rng():
        model = pretrain.pretrain(
            plan, counting_stock(), folder, steps=steps, stop_after=stop_after, begin=begin
        )
    torch.use_deterministic_algorithms(False)
    return dict(model.named_parameters())


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("muon", [True, False])
def test_stopped_and_resumed_gives_the_weights_of_a_run_without_stop(
    model: str, muon: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "SAVE_SECONDS", 0.0)
    plan = Plan(model, "tiny", muon=muon, portion=SMALL)
    whole = trained(plan, tmp_path / "whole", 7)
    for stop in (3, 2, None):
        parts = trained(plan, tmp_path / "parts", 7, stop)
    assert whole.keys() == parts.keys()
    for name, weight in whole.items():
        assert torch.equal(weight, parts[name]), name


def test_killed_and_resumed_gives_the_weights_of_a_run_without_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "SAVE_SECONDS", 0.0)
    killed = tmp_path / "killed"
    for step in (2, 5):
        life = ["-m", "tests.recipes.pretraining_life", str(killed), str(step)]
        found = subprocess.run([sys.executable, *life], cwd=ROOT, capture_output=True)
        assert found.returncode == -signal.SIGKILL, found.stderr.decode()
    plan = Plan("decoder", "tiny", portion=SMALL)
    whole, parts = trained(plan, tmp_path / "whole", 7), trained(plan, killed, 7)
    for name, weight in whole.items():
        assert torch.equal(weight, parts[name]), name


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_model_learns_what_follows(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "WARM", 10)
    trained(Plan(model, "tiny", rate=3e-2, portion=SMALL), tmp_path, 60)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert lines[-1]["rate"] < lines[0]["rate"]
    ignorant = math.log(SIZE)
    assert lines[-1]["text"] < ignorant - 2
    assert lines[-1]["kept"]["talks"] < ignorant - 2


def test_another_plan_or_other_data_do_not_go_on_from_a_run(tmp_path: Path) -> None:
    plan = Plan("decoder", "tiny", portion=SMALL)
    trained(plan, tmp_path, 2)
    with pytest.raises(SystemExit, match="trained on other data"):
        pretrain.pretrain(plan, replace(counting_stock(), digest="other"), tmp_path, steps=2)
    with pytest.raises(SystemExit, match="run of another plan"):
        trained(Plan("decoder", "tiny", seed=1, portion=SMALL), tmp_path, 2)


def exported(model: str, folder: Path) -> dict[str, torch.Tensor]:
    """A model of two steps in a folder; its weights as they are there."""
    trained(Plan(model, "tiny", portion=SMALL), folder / "run", 2)
    found = Checkpoints(folder / "run", Disk()).load()
    assert found is not None
    export(found, trained_tokenizer(["1 2"]), folder)
    weights = {name: each for name, each in found.tensors.items() if name.startswith("weight:")}
    return {name.removeprefix("weight:"): each.half().float() for name, each in weights.items()}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_run_begins_with_the_weights_of_an_exported_model(model: str, tmp_path: Path) -> None:
    told = exported(model, tmp_path / "first")
    plan = Plan(model, "tiny", begin="told", portion=SMALL)
    begun = trained(plan, tmp_path / "second", 0, begin=tmp_path / "first")
    assert begun.keys() == told.keys()
    for name, weight in begun.items():
        assert torch.equal(weight, told[name]), name


def test_an_encoder_decoder_begins_with_a_decoder_follows_it_and_goes_on_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = exported("decoder", tmp_path / "first")["model.embed_tokens.weight"]
    plan = Plan("seq2seq", "tiny", begin="told", portion=SMALL)
    begun = trained(plan, tmp_path / "begun", 0, begin=tmp_path / "first")
    words = slice(FIRST_GAP + 1, None)
    assert torch.equal(begun["shared.weight"][words], table[words])
    whole = trained(plan, tmp_path / "whole", 5, begin=tmp_path / "first")
    trained(plan, tmp_path / "parts", 5, 3, begin=tmp_path / "first")
    parts = trained(plan, tmp_path / "parts", 5, begin=tmp_path / "first")
    for name, weight in whole.items():
        assert torch.equal(weight, parts[name]), name
    monkeypatch.setattr(seq2seq, "FOLLOW", 0.0)
    alone = trained(plan, tmp_path / "alone", 5, begin=tmp_path / "first")
    assert not torch.equal(alone["shared.weight"], whole["shared.weight"])


def test_a_run_does_not_begin_with_a_model_of_another_kind(tmp_path: Path) -> None:
    exported("encoder", tmp_path / "first")
    plan = Plan("seq2seq", "tiny", begin="told", portion=SMALL)
    with pytest.raises(SystemExit, match="holds a modernbert, which a t5 cannot begin with"):
        trained(plan, tmp_path / "second", 0, begin=tmp_path / "first")


def test_t5s_queries_move_by_less_as_it_does_not_divide_their_scores() -> None:
    model = seq2seq.made(TINY)
    optimisers = Optimisers.of(model, rate=1e-2, muon=True)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight)
    with workers(1) as pool:
        optimisers.step(1.0, pool)
    moved = {
        name: (weight.detach() - before[name]).square().mean().sqrt().item()
        for name, weight in model.named_parameters()
        if ".q.weight" in name or ".k.weight" in name
    }
    ratios = [
        moved[name.replace(".k.", ".q.")] / each for name, each in moved.items() if ".k." in name
    ]
    assert len(ratios) == len(moved) // 2
    assert ratios == pytest.approx([model.config.d_kv**-0.5] * len(ratios), rel=0.1)
