"""Seeds and learning rates side by side: each a run of its own, equal to training it alone."""

from pathlib import Path

import pytest

from afina import tuning
from afina.errors import InputError, Interrupted
from afina.models import Models
from afina.store.order import Order, made_of
from afina.store.store import Store
from afina.sweep import Swept, orders_of, sweep
from afina.sweep_table import means, sweep_table
from afina.task.task import load_task
from afina.training.watch import Watch
from tests.folders import model_folder, task_folder

QUICK = {"length": 2, "epochs": 2, "batch": 4, "checks": 1, "answer": "head"}
CURVE = 1e-4


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(str(task_folder(tmp_path)), "prompt-tuning", model_folder(), 3, QUICK)


def curves(found: list[Swept]) -> list[list[float]]:
    return [made_of(each.run)["losses"] for each in found]


def test_each_goes_as_it_goes_alone(order: Order, tmp_path: Path) -> None:
    """Broken by one seed for all, or by a head shared between the runs."""
    orders = orders_of(order, seeds=2, rates=[0.1, 0.3])
    found = sweep(Store(tmp_path / "home"), orders)
    assert [(each.run.seed, each.run.settings["rate"]) for each in found] == [
        (3, 0.1),
        (4, 0.1),
        (3, 0.3),
        (4, 0.3),
    ]
    task = load_task(order.task)
    for number, (each, curve) in enumerate(zip(orders, curves(found), strict=True)):
        folder = tmp_path / f"alone-{number}"
        tuning.tune_in(folder, task, each, models=Models(), watch=Watch())
        alone = made_of(Store(tmp_path / "home").run(found[number].run.name))["losses"]
        assert curve == pytest.approx(alone, abs=CURVE)
    assert len({tuple(curve) for curve in curves(found)}) == 4
    assert all(each.report and each.report.n == found[0].report.n for each in found)


def test_called_again_it_gives_the_runs_back(order: Order, tmp_path: Path) -> None:
    store, orders = Store(tmp_path / "home"), orders_of(order, seeds=2, rates=[])
    first = sweep(store, orders)

    def refuse(_step: object) -> None:
        raise AssertionError("nothing is left to be trained")

    with pytest.raises(AssertionError, match="nothing is left"):
        sweep(Store(tmp_path / "empty"), orders, watch=Watch(show=refuse))
    assert sweep(store, orders, watch=Watch(show=refuse)) == first
    assert len(store.runs()) == 2


def test_stopped_and_called_again_it_ends_as_never_stopped(order: Order, tmp_path: Path) -> None:
    orders = orders_of(order, seeds=2, rates=[])
    calm = sweep(Store(tmp_path / "calm"), orders)
    store, points = Store(tmp_path / "stopped"), iter(range(100))

    def die(_point: str) -> None:
        if next(points) == 12:
            raise Interrupted("stopped", signal_number=2)

    with pytest.raises(Interrupted):
        sweep(store, orders, watch=Watch(at=die))
    assert {run.status for run in store.runs()} == {"interrupted"}
    again = sweep(store, orders)
    assert curves(again) == curves(calm)
    assert [each.report.score for each in again] == [each.report.score for each in calm]


def test_one_that_diverges_is_told_and_the_others_are_kept(order: Order, tmp_path: Path) -> None:
    orders = orders_of(order, seeds=1, rates=[0.1, 1e38])
    store = Store(tmp_path / "home")
    found = sweep(store, orders)
    assert found[0].report is not None
    assert "expected a finite number: lower the learning rate" in found[1].error
    assert [each.run.status for each in found] == ["done", "failed"]
    assert means(found)[0].startswith("rate 0.1: mean ")
    assert len(means(found)) == 1
    assert sweep_table(found) is not None


def test_what_does_not_train_side_by_side_is_refused(order: Order) -> None:
    with pytest.raises(InputError, match="whose seeds train side by side, got 'majority'"):
        orders_of(Order(order.task, "majority", "", 0, {}), seeds=2, rates=[])
    with pytest.raises(InputError, match="each rate once"):
        orders_of(order, seeds=1, rates=[0.1, 0.1])
    with pytest.raises(InputError, match="1 seed or more"):
        orders_of(order, seeds=0, rates=[])
