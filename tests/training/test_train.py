"""The loop on a learner of three numbers: it learns, stops, keeps its best, and goes on exactly."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from afina.disk import Disk
from afina.errors import AfinaError, Interrupted, MismatchError
from afina.soft.learner import Group
from afina.soft.reading import Read
from afina.training.checkpoint import Checkpoints
from afina.training.train import Outcome, TrainSettings, fingerprint, refuse_other_maker, train
from afina.training.watch import Progress, Watch

ROWS = [Read([1] * (number % 7 + 1), label=number % 7 // 3) for number in range(25)]
SETTINGS = TrainSettings(epochs=4, batch=4, checks=2, save_every=2, patience=99)
STEPS = 28


class Line(nn.Module):
    """Guesses a row's label from its length."""

    def __init__(self, rate: float = 0.05) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0, 0.5]))
        self.rate = rate

    def groups(self) -> list[Group]:
        return [Group([self.weight], self.rate)]

    def loss(self, rows: Sequence[Read]) -> Tensor:
        lengths = torch.tensor([len(row.tokens) / 7 for row in rows])
        powers = torch.stack([torch.ones_like(lengths), lengths, lengths.square()], dim=1)
        labels = torch.tensor([float(row.label) for row in rows])
        return (powers @ self.weight - labels).square().mean()


def run(
    learner: Line,
    folder: Path,
    *,
    score: Callable[[], float] | None = None,
    settings: TrainSettings = SETTINGS,
    watch: Watch = Watch(),
) -> Outcome:
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, Disk())
    fit = score or (lambda: -float(learner.loss(ROWS).detach()))
    return train(learner, ROWS, fit, settings=settings, keeper=keeper, watch=watch)


def falling() -> Callable[[], float]:
    scores = iter(range(100, 0, -1))
    return lambda: float(next(scores))


def test_the_loss_falls(tmp_path: Path) -> None:
    """Broken by a learning rate that stays at 0, or by steps up the gradient."""
    outcome = run(Line(), tmp_path, settings=replace(SETTINGS, epochs=20))
    losses = outcome.moment.losses
    assert len(losses) == outcome.steps == outcome.moment.step == 140
    assert sum(losses[-7:]) < 0.2 * sum(losses[:7])


def test_dev_is_scored_at_the_start_and_twice_a_pass(tmp_path: Path) -> None:
    outcome = run(Line(), tmp_path)
    assert [step for step, _ in outcome.moment.scores] == [0, *range(3, STEPS, 3), STEPS]


def test_the_best_on_dev_is_what_the_learner_ends_with(tmp_path: Path) -> None:
    """Broken by returning without loading the best: the learner then ends at its last step."""
    learner = Line()
    states, scores = [], iter([1.0, 2.0, 5.0, 3.0, *[4.0] * 20])

    def score() -> float:
        states.append(learner.weight.detach().clone())
        return next(scores)

    outcome = run(learner, tmp_path, score=score)
    assert (outcome.moment.best_step, outcome.moment.best_score) == (6, 5.0)
    assert torch.equal(learner.weight, states[2])
    assert not torch.equal(learner.weight, states[-1])


def test_the_start_counts_as_a_candidate(tmp_path: Path) -> None:
    learner = Line()
    outcome = run(learner, tmp_path, score=falling())
    assert outcome.moment.best_step == 0
    assert learner.weight.tolist() == [1.0, -1.0, 0.5]


def test_of_equal_scores_the_earlier_is_kept(tmp_path: Path) -> None:
    assert run(Line(), tmp_path, score=lambda: 0.5).moment.best_step == 0


def test_it_stops_when_dev_gains_no_more(tmp_path: Path) -> None:
    """Broken by counting the scores since the start, not since the best."""
    scores = iter([1.0, 0.0, 2.0, 1.0, 1.5, 2.0, 9.0, 9.0])
    settings = replace(SETTINGS, patience=3)
    outcome = run(Line(), tmp_path, score=lambda: next(scores), settings=settings)
    assert (outcome.moment.step, outcome.steps) == (15, STEPS)
    assert outcome.moment.best_step == 6


def test_a_loss_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        AfinaError, match=r"the loss is (nan|inf) at step .*lower the learning rate"
    ):
        run(Line(rate=1e30), tmp_path, score=lambda: 0.0)


def test_a_refused_loss_is_in_no_checkpoint(tmp_path: Path) -> None:
    """Broken by saving before the loss is looked at."""
    with pytest.raises(AfinaError):
        run(Line(rate=1e30), tmp_path, score=lambda: 0.0)
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    assert all(math.isfinite(loss) for loss in saved.facts["lanes"][0]["moment"]["losses"])


def test_the_rate_rises_and_then_falls_to_nothing(tmp_path: Path) -> None:
    """With a linear loss Adam's steps are the rate itself."""

    class Slide(Line):
        def loss(self, rows: Sequence[Read]) -> Tensor:
            places.append(float(self.weight[0].detach()))
            return -self.weight[0]

    places: list[float] = []
    settings = replace(SETTINGS, warmup=0.25, weight_decay=0.0)
    learner = Slide(rate=0.01)
    run(learner, tmp_path, score=lambda: float(learner.weight[0].detach()), settings=settings)
    steps = [after - before for before, after in itertools.pairwise(places[1:])]
    wanted = [min((at + 1) / 7, (STEPS - at) / 21) * 0.01 for at in range(1, STEPS - 1)]
    assert steps == pytest.approx(wanted, abs=1e-6)


def stop_at(step: int) -> Watch:
    """Asks to stop once a step is reached."""
    seen: list[Progress] = []

    def stop() -> AfinaError | None:
        reached = seen[-1].step if seen else 0
        return Interrupted("stopped", signal_number=2) if reached == step else None

    return Watch(show=seen.append, stop=stop)


@pytest.mark.parametrize("step", [0, 1, 6, 7, 13, 27])
def test_stopped_and_resumed_equals_never_stopped(tmp_path: Path, step: int) -> None:
    """Broken by restoring the optimizer without its rate, or the moment without its losses."""
    calm, stopped = Line(), Line()
    wanted = run(calm, tmp_path / "calm")
    with pytest.raises(Interrupted):
        run(stopped, tmp_path / "stopped", watch=stop_at(step))
    resumed = Line()
    assert run(resumed, tmp_path / "stopped") == wanted
    assert torch.equal(resumed.weight, calm.weight)
    assert newest(tmp_path / "stopped") == newest(tmp_path / "calm")


def newest(folder: Path) -> str:
    """The name of the last checkpoint, which holds the digest of its bytes."""
    return max(path.name for path in folder.iterdir())


def test_stopped_at_every_step_equals_never_stopped(tmp_path: Path) -> None:
    calm, resumed = Line(), Line()
    wanted = run(calm, tmp_path / "calm")
    for step in range(STEPS):
        with pytest.raises(Interrupted):
            run(Line(), tmp_path / "stopped", watch=stop_at(step))
    assert run(resumed, tmp_path / "stopped") == wanted
    assert torch.equal(resumed.weight, calm.weight)


def test_a_stop_keeps_the_last_step(tmp_path: Path) -> None:
    """Step 5 is no multiple of anything; broken by raising before the checkpoint is written."""
    with pytest.raises(Interrupted):
        run(Line(), tmp_path, watch=stop_at(5))
    assert newest(tmp_path).startswith("step-00000005-")


def test_each_dev_score_makes_a_checkpoint(tmp_path: Path) -> None:
    run(Line(), tmp_path, settings=replace(SETTINGS, save_every=10**9))
    assert sorted(int(path.name[5:13]) for path in tmp_path.iterdir()) == [27, 28]


def test_steps_between_dev_scores_make_checkpoints_too(tmp_path: Path) -> None:
    """The run dies after step 11, when 9 had the last dev score."""
    died = Watch(show=lambda progress: 1 // (progress.step - 11))
    with pytest.raises(ZeroDivisionError):
        run(Line(), tmp_path, watch=died, settings=replace(SETTINGS, save_every=5))
    assert newest(tmp_path).startswith("step-00000010-")


def test_a_finished_run_goes_no_further(tmp_path: Path) -> None:
    wanted = run(Line(), tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    steps: list[str] = []
    assert run(Line(), tmp_path, watch=Watch(at=steps.append)) == wanted
    assert steps == ["after the last step"]
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    assert after == before


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(tmp_path: Path) -> None:
    calm, resumed = Line(), Line()
    wanted = run(calm, tmp_path / "calm")
    with pytest.raises(Interrupted):
        run(Line(), tmp_path / "stopped", watch=stop_at(8))
    last = tmp_path / "stopped" / newest(tmp_path / "stopped")
    last.write_bytes(last.read_bytes()[:-1])
    notes: list[str] = []
    assert run(resumed, tmp_path / "stopped", watch=Watch(note=notes.append)) == wanted
    assert torch.equal(resumed.weight, calm.weight)
    assert len(notes) == 1
    assert notes[0].startswith(f"{last} is damaged; went on from step-00000006-")


def test_seed_0_is_a_seed(tmp_path: Path) -> None:
    """FAULTS 13: broken by ``settings.seed or 1``."""
    zero = run(Line(), tmp_path / "0", settings=replace(SETTINGS, seed=0)).moment.losses
    again = run(Line(), tmp_path / "again", settings=replace(SETTINGS, seed=0)).moment.losses
    one = run(Line(), tmp_path / "1", settings=replace(SETTINGS, seed=1)).moment.losses
    assert zero == again != one


def test_settings_of_nothing_arrive_unchanged(tmp_path: Path) -> None:
    """FAULTS 13: the checkpoint says what the run was made with."""
    settings = replace(SETTINGS, warmup=0.0, weight_decay=0.0, seed=0)
    run(Line(), tmp_path, settings=settings)
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    made = saved.facts["lanes"][0]["made_by"]["settings"]
    assert (made["warmup"], made["weight_decay"], made["seed"]) == (0.0, 0.0, 0)


def test_weight_decay_0_is_none(tmp_path: Path) -> None:
    free, bound = Line(), Line()
    run(free, tmp_path / "free", settings=replace(SETTINGS, weight_decay=0.0))
    run(bound, tmp_path / "bound", settings=replace(SETTINGS, weight_decay=0.5))
    assert not torch.equal(free.weight, bound.weight)


def test_a_run_is_not_gone_on_with_on_other_weights(tmp_path: Path) -> None:
    """A model folder swapped between kill and resume. Broken by leaving the digest out."""
    for weights in ("one", "other"):
        keeper = Checkpoints(tmp_path, Disk(), weights=weights)
        expected = Interrupted if weights == "one" else MismatchError
        with pytest.raises(expected):
            train(Line(), ROWS, lambda: 0.0, settings=SETTINGS, keeper=keeper, watch=stop_at(5))


def test_another_number_of_threads_is_not_comparable(tmp_path: Path) -> None:
    """FAULTS 6."""
    with pytest.raises(Interrupted):
        run(Line(), tmp_path, watch=stop_at(5))
    before, threads = newest(tmp_path), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(MismatchError, match="not comparable bit by bit") as caught:
            run(Line(), tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert f"made with threads {threads}, here it is {threads + 1}" in str(caught.value)
    assert newest(tmp_path) == before


def test_other_settings_are_not_comparable(tmp_path: Path) -> None:
    run(Line(), tmp_path)
    with pytest.raises(MismatchError, match=r"made with settings .*not comparable bit by bit"):
        run(Line(), tmp_path, settings=replace(SETTINGS, weight_decay=0.1))


@pytest.mark.parametrize("name", ["torch", "transformers", "processor", "onednn"])
def test_other_software_is_not_comparable(name: str) -> None:
    now = fingerprint(SETTINGS)
    refuse_other_maker(now, now)
    with pytest.raises(MismatchError, match=f"made with {name} 'other'"):
        refuse_other_maker({**now, name: "other"}, now)


def test_the_watch_is_told_of_every_step(tmp_path: Path) -> None:
    seen: list[Progress] = []
    outcome = run(Line(), tmp_path, watch=Watch(show=seen.append))
    assert [each.step for each in seen] == list(range(1, STEPS + 1))
    assert {each.steps for each in seen} == {STEPS}
    assert tuple(each.loss for each in seen) == outcome.moment.losses
    assert seen[-1].seconds_left == 0
    assert seen[-1].best == outcome.moment.best_score
