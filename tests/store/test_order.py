"""An order decides a run's result, and a folder belongs to one order."""

from dataclasses import replace
from pathlib import Path

import pytest

from afina.disk import Disk
from afina.errors import ArtefactError, MismatchError
from afina.store.order import (
    MADE,
    ORDER,
    Order,
    check_same_order,
    claim,
    made_of,
    order_of,
    signature_of,
)
from afina.store.run import Run
from afina.task.task import Task, load_task
from tests.folders import task_folder

GIVEN: dict[str, object] = {"rate": 0.0, "text": "", "flag": False, "length": 0}
MINE = Order("mood", "prompt-tuning", "m", 0, GIVEN)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return load_task(task_folder(tmp_path))


def run_of(order: Order, task: Task, folder: Path) -> Run:
    digest = task.digest
    run = Run("r", order.task, digest, order.method, order.model, order.seed, order.settings)
    return replace(run, folder=folder)


def test_an_order_comes_back_from_its_run_unchanged(task: Task, tmp_path: Path) -> None:
    found = order_of(run_of(MINE, task, tmp_path))
    assert found == MINE
    assert [type(value) for value in found.settings.values()] == [float, str, bool, int]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (replace(MINE, task="other"), "task"),
        (replace(MINE, method="majority"), "method"),
        (replace(MINE, model="n"), "model"),
        (replace(MINE, seed=1), "seed"),
        (replace(MINE, settings={**GIVEN, "text": "x"}), "settings"),
    ],
)
def test_a_folder_and_a_run_are_one_orders(
    task: Task, tmp_path: Path, changed: Order, name: str
) -> None:
    claim(tmp_path, task, MINE, Disk())
    before = (tmp_path / ORDER).read_bytes()
    claim(tmp_path, task, MINE, Disk())
    check_same_order(run_of(MINE, task, tmp_path), task, MINE)
    with pytest.raises(MismatchError, match=f"holds a run with {name} "):
        claim(tmp_path, task, changed, Disk())
    with pytest.raises(MismatchError, match=f"run 'r' was made with {name} "):
        check_same_order(run_of(MINE, task, tmp_path), task, changed)
    assert (tmp_path / ORDER).read_bytes() == before


def test_other_data_is_another_order(task: Task, tmp_path: Path) -> None:
    claim(tmp_path, task, MINE, Disk())
    other = replace(task, digest="f" * 64)
    with pytest.raises(MismatchError, match="task_digest"):
        claim(tmp_path, other, MINE, Disk())
    with pytest.raises(MismatchError, match="data 'ffff"):
        check_same_order(run_of(MINE, other, tmp_path), task, MINE)


def test_a_folder_tells_its_signature(task: Task, tmp_path: Path) -> None:
    claim(tmp_path, task, MINE, Disk())
    found = signature_of(run_of(MINE, task, tmp_path))
    assert str(found) == str(task.signature)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_damaged_file_is_named(task: Task, tmp_path: Path, text: str) -> None:
    run = run_of(MINE, task, tmp_path)
    assert made_of(run) == {}
    for name in (ORDER, MADE):
        (tmp_path / name).write_text(text)
    with pytest.raises(ArtefactError, match=ORDER):
        claim(tmp_path, task, MINE, Disk())
    with pytest.raises(ArtefactError, match=ORDER):
        signature_of(run)
    with pytest.raises(ArtefactError, match=MADE):
        made_of(run)
