"""Learners side by side: each goes as it would alone, and all survive a kill together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from afina.disk import Disk
from afina.errors import AfinaError, Interrupted, MismatchError
from afina.training.checkpoint import Checkpoints
from afina.training.train import Lane, Outcome, own_losses, train_together
from afina.training.watch import Watch
from tests.training.test_train import ROWS, SETTINGS, Line, run

RATES = (0.02, 0.05, 0.1)


def lanes(learners: Sequence[Line]) -> list[Lane]:
    """A seed of its own each."""
    return [
        Lane(
            learner,
            ROWS,
            lambda learner=learner: -float(learner.loss(ROWS).detach()),
            replace(SETTINGS, seed=seed),
        )
        for seed, learner in enumerate(learners)
    ]


def together(learners: Sequence[Line], folder: Path, watch: Watch = Watch()) -> list[Outcome]:
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, Disk())
    return train_together(lanes(learners), own_losses, keeper=keeper, watch=watch)


def test_each_goes_as_it_would_alone(tmp_path: Path) -> None:
    """Broken by one seed for all, or by one schedule."""
    learners = [Line(rate) for rate in RATES]
    outcomes = together(learners, tmp_path / "all")
    for seed, (rate, learner, outcome) in enumerate(zip(RATES, learners, outcomes, strict=True)):
        alone = Line(rate)
        settings = replace(SETTINGS, seed=seed)
        wanted = run(alone, tmp_path / str(seed), settings=settings)
        assert outcome.moment.losses == wanted.moment.losses
        assert outcome.moment.scores == wanted.moment.scores
        assert torch.equal(learner.weight, alone.weight)


def test_one_that_stops_early_does_not_hold_the_others(tmp_path: Path) -> None:
    learners = [Line(rate) for rate in RATES]
    some = lanes(learners)
    some[1] = replace(some[1], score=lambda: 0.0, settings=replace(some[1].settings, patience=2))
    outcomes = train_together(some, own_losses, keeper=Checkpoints(tmp_path, Disk()), watch=Watch())
    assert [each.moment.step for each in outcomes] == [28, 6, 28]


@pytest.mark.parametrize("moment", range(1, 40, 3))
def test_killed_and_resumed_they_end_as_never_killed(tmp_path: Path, moment: int) -> None:
    """Broken by a checkpoint a learner: a kill between two of them then tears the lanes apart."""
    calm = [Line(rate) for rate in RATES]
    wanted = together(calm, tmp_path / "calm")
    points = iter(range(1, 1000))

    def die(_point: str) -> None:
        if next(points) == moment:
            raise Interrupted("killed", signal_number=2)

    with pytest.raises(Interrupted):
        together([Line(rate) for rate in RATES], tmp_path / "killed", Watch(at=die))
    again = [Line(rate) for rate in RATES]
    assert together(again, tmp_path / "killed") == wanted
    for one, other in zip(again, calm, strict=True):
        assert torch.equal(one.weight, other.weight)


def test_one_that_diverges_ends_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    learners = [Line(rate) for rate in RATES]
    with torch.no_grad():
        learners[0].weight.fill_(torch.nan)
    some = [replace(each, score=lambda: 0.0) for each in lanes(learners)]
    keeper = Checkpoints(tmp_path, Disk())
    outcomes = train_together(some, own_losses, keeper=keeper, watch=Watch())
    assert "expected a finite number: lower the learning rate" in outcomes[0].failure
    assert [each.moment.step for each in outcomes] == [0, 28, 28]
    assert not any(each.failure for each in outcomes[1:])
    alone = Line()
    with torch.no_grad():
        alone.weight.fill_(torch.nan)
    with pytest.raises(AfinaError, match="the loss is nan at step 0"):
        run(alone, tmp_path / "alone", score=lambda: 0.0)


def test_another_number_of_learners_does_not_go_on(tmp_path: Path) -> None:
    together([Line(rate) for rate in RATES], tmp_path)
    with pytest.raises(MismatchError, match="holds 3 learners trained side by side, not 2"):
        together([Line(rate) for rate in RATES[:2]], tmp_path)
