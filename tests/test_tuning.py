"""A run is begun, kept, gone on with, compared and tested; what goes wrong leaves it whole."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import afina
from afina import keeping, tuning
from afina.disk import Disk, lock_folder
from afina.errors import (
    AfinaError,
    BusyError,
    InputError,
    Interrupted,
    MismatchError,
    ModelError,
    SealedError,
    SpaceError,
)
from afina.job import Job, Made
from afina.methods import METHODS
from afina.models import Models
from afina.store.order import Order
from afina.store.store import Store
from afina.task.task import Task, load_task
from afina.training.watch import Watch
from tests.folders import lines, model_folder, reviews, task_folder
from tests.test_disk import FailingDisk

QUICK: dict[str, object] = {"length": 2, "epochs": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return task_folder(tmp_path)


@pytest.fixture
def task(folder: Path) -> Task:
    return load_task(folder)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def order(folder: Path, method: str = "prompt-tuning", **changes: Any) -> Order:
    settings = QUICK if method == "prompt-tuning" else {}
    return replace(Order(str(folder), method, model_folder(), 0, settings), **changes)


@pytest.fixture
def with_method(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Job], Made]], None]:
    """Adds a method called ``odd`` to the table for one test."""
    return lambda method: monkeypatch.setitem(METHODS, "odd", method)


# tune and load


def test_tune_without_a_folder_keeps_nothing(task: Task, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    solver = afina.tune(task, "prompt-tuning", model=model_folder(), settings=QUICK)
    assert solver.parameters > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_tune_with_a_folder_goes_on_or_loads(task: Task, tmp_path: Path) -> None:
    run, inputs = tmp_path / "run", [example.inputs for example in task.dev]

    def stop() -> AfinaError:
        return Interrupted("stopped", signal_number=2)

    with pytest.raises(Interrupted):
        afina.tune(task, model=model_folder(), settings=QUICK, run=run, watch=Watch(stop=stop))
    assert not (run / "bundle").exists()
    first = afina.tune(task, model=model_folder(), settings=QUICK, run=run)
    whole = afina.tune(task, model=model_folder(), settings=QUICK)
    assert first.pack().arrays["prompt"].tobytes() == whole.pack().arrays["prompt"].tobytes()
    bytes_of = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    again = afina.tune(task, model=model_folder(), settings=QUICK, run=run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == bytes_of
    for solver in (again, afina.load(run), afina.load(run / "bundle")):
        assert [each.outputs for each in solver(inputs)] == [each.outputs for each in first(inputs)]
    with pytest.raises(MismatchError, match="seed 0, not 1"):
        afina.tune(task, model=model_folder(), settings=QUICK, run=run, seed=1)


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no bundle in {tmp_path}"):
        afina.load(tmp_path)


def test_a_prompt_of_another_backbone_is_refused(task: Task, tmp_path: Path) -> None:
    made = tuning.tune_in(
        tmp_path / "run", task, order(tmp_path), models=Models(), watch=Watch()
    ).pack()
    tuning.save_bundle(tmp_path, replace(made, settings={**made.settings, "digest": "f"}), Disk())
    with pytest.raises(MismatchError, match="load the model it was tuned on"):
        afina.load(tmp_path)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_is_none_is_refused(task: Task, seed: int) -> None:
    with pytest.raises(InputError, match=f"expected a seed of 0 or more.*got {seed}"):
        afina.tune(task, "majority", seed=seed)


def test_settings_reach_the_method_unchanged(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Job] = []

    def spy(job: Job) -> Made:
        seen.append(job)
        return prompt_tuning(job)

    prompt_tuning = METHODS["prompt-tuning"]
    monkeypatch.setitem(METHODS, "prompt-tuning", spy)
    given = {**QUICK, "rate": 0.0, "text": "", "epochs": 0}
    afina.tune(task, model=model_folder(), seed=0, settings=given)
    assert seen[0].seed == 0
    assert seen[0].settings == given
    assert [type(value) for value in seen[0].settings.values()] == [int, int, float, str]


# a disk that fails


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that nothing disturbed."""
    parent = tmp_path_factory.mktemp("reference")
    task, run = load_task(task_folder(parent)), parent / "run"
    wanted = Order("mood", "prompt-tuning", model_folder(), 0, QUICK)
    tuning.tune_in(run, task, wanted, models=Models(), watch=Watch())
    return kept(run)


def kept(run: Path) -> dict[str, bytes]:
    names = ("order.json", "made.json", "bundle/bundle.json", "bundle/arrays.safetensors")
    return {name: (run / name).read_bytes() for name in names}


class FullDisk(FailingDisk):
    """A disk without room for the k-th operation; removing a file always works."""

    def __init__(self, k: int) -> None:
        super().__init__(k, OSError(errno.ENOSPC, "full"))

    def remove(self, path: Path) -> None:
        Disk.remove(self, path)


@pytest.mark.parametrize("k", range(1, 31))
def test_a_full_disk_leaves_a_run_that_goes_on(
    task: Task, tmp_path: Path, reference: dict[str, bytes], k: int
) -> None:
    wanted = Order("mood", "prompt-tuning", model_folder(), 0, QUICK)
    run, full = tmp_path / "run", FullDisk(k)
    try:
        tuning.tune_in(run, task, wanted, models=Models(), watch=Watch(), disk=full)
    except SpaceError as error:
        problem = str(error)
    else:
        problem = ""
    assert ("bytes" in problem and str(run) in problem) == (full.done >= k)
    assert not list(run.rglob("*afina-tmp"))
    tuning.tune_in(run, task, wanted, models=Models(), watch=Watch())
    assert kept(run) == reference
    assert full.done >= k or k > 20, "nearly every point is reached"


# keeping runs


def test_what_cannot_be_begun_leaves_nothing(folder: Path, store: Store) -> None:
    for wanted, error in [
        (order(folder, "prompt-tunin"), InputError),
        (order(folder, settings={"lenght": 1}), InputError),
        (order(folder, model="./nope"), ModelError),
        (order(folder / "nope"), InputError),
        (order(folder, seed=-1), InputError),
    ]:
        with pytest.raises(error):
            keeping.keep_run(store, wanted, "r")
    with pytest.raises(InputError, match="expected a run's name"):
        keeping.keep_run(store, order(folder), "../r")
    assert not store.home.exists()


def test_a_run_tells_how_it_ended(
    folder: Path, store: Store, with_method: Callable[[Callable[[Job], Made]], None]
) -> None:
    seen: list[str] = []

    def ends_with(error: BaseException) -> Callable[[Job], Made]:
        def method(job: Job) -> Made:
            seen.append(store.run("r").status)
            raise error

        return method

    stopped = Interrupted("stopped", signal_number=2)
    for error, status in [
        (AfinaError("the loss is nan"), "failed"),
        (stopped, "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (ZeroDivisionError(), "failed"),
    ]:
        with_method(ends_with(error))
        with pytest.raises(type(error)):
            keeping.keep_run(store, order(folder, "odd"), "r")
        assert store.run("r").status == status
    assert seen == ["running"] * 4
    with pytest.raises(InputError, match="run 'r' is failed; finish it with: afina resume r"):
        keeping.solver_of(store.run("r"))


def test_a_run_that_another_process_holds_is_left_alone(folder: Path, store: Store) -> None:
    stopped = Watch(stop=lambda: Interrupted("stopped", signal_number=2))
    with pytest.raises(Interrupted):
        keeping.keep_run(store, order(folder), "r", watch=stopped)
    held = store.run("r").folder
    assert held is not None
    with lock_folder(held), pytest.raises(BusyError):
        keeping.keep_run(store, order(folder), "r")
    assert store.run("r").status == "running"
    assert keeping.keep_run(store, order(folder), "r").status == "done"


def test_a_run_whose_report_was_lost_is_scored_without_tuning_again(
    folder: Path, store: Store
) -> None:
    run = keeping.keep_run(store, order(folder), "r")
    score = store.report("r", "dev").score
    assert run.folder is not None
    before = kept(run.folder)
    store.update_run(replace(run, status="running"))
    again = keeping.keep_run(store, order(folder), "r")
    assert (again.status, store.report("r", "dev").score) == ("done", score)
    assert kept(run.folder) == before


# the sealed test


def cheat(look: Callable[[Task], object]) -> Callable[[Job], Made]:
    def method(job: Job) -> Made:
        look(job.task)
        return METHODS["majority"](job)

    return method


LOOKS: dict[str, Callable[[Task], object]] = {
    "iterate": lambda task: list(task.test),  # type: ignore[arg-type]
    "index": lambda task: task.test[0],
    "open": lambda task: task.test.open(Store(Path("elsewhere")), "cheat"),
    "closure": lambda task: task.test._unseal,
    "print": lambda task: repr(task.test),
    "draw": lambda task: sorted(task.test),  # type: ignore[type-var]
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_method_that_reads_the_test_is_stopped(
    folder: Path,
    store: Store,
    with_method: Callable[[Callable[[Job], Made]], None],
    look: str,
) -> None:
    with_method(cheat(LOOKS[look]))
    with pytest.raises(SealedError, match="the test split is sealed"):
        afina.tune(load_task(folder), "odd", model=model_folder())
    assert store.count(load_task(folder).digest) == 0
    assert not Path("elsewhere").exists()


def test_the_length_of_the_test_is_no_secret(
    folder: Path, with_method: Callable[[Callable[[Job], Made]], None]
) -> None:
    with_method(cheat(lambda task: len(task.test)))
    afina.tune(load_task(folder), "odd", model=model_folder())


def test_openings_are_counted_in_every_later_report(folder: Path, store: Store) -> None:
    for name in ("a", "b"):
        keeping.keep_run(store, order(folder, "majority"), name)
    assert store.report("a", "dev").openings == 0
    assert [keeping.open_test(store, name).openings for name in ("a", "a", "b")] == [1, 2, 3]
    assert store.report("a", "dev").openings == 3
    assert keeping.describe(store, "a")[1]["openings"] == 3


def test_the_test_of_other_data_stays_closed(folder: Path, store: Store) -> None:
    keeping.keep_run(store, order(folder, "majority"), "r")
    digest = store.run("r").task_digest
    (folder / "rows.jsonl").write_text(lines(reviews(seed=1)))
    with pytest.raises(MismatchError, match="changed since run 'r' was made"):
        keeping.open_test(store, "r")
    assert store.count(digest) == 0
