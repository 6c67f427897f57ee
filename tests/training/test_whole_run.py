"""FAULTS 4 and 5, and what a finished run is: tuning in a folder, from its order to its bundle."""

import errno
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from transformers.utils import logging

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import digest_of
from afina.disk import LOCK, TEMPORARY, Disk
from afina.errors import AfinaError, BusyError, Interrupted, MismatchError, SpaceError
from afina.models import Models
from afina.solver import Solver
from afina.training.watch import Watch
from afina.tuning import Order, bundle_at, load, tune, tune_in
from tests.tiny import raw_model, tiny, tokenizer_for
from tests.training.tiny_task import review_task

TASK = review_task(train=8, dev=4)
SETTINGS = {"length": 2, "epochs": 2, "batch": 4, "save_every": 3, "patience": 99, "checks": 2}
ORDER = Order("tiny", "prompt-tuning", "tiny:bert", settings=SETTINGS)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny("bert")


def begin(
    folder: Path,
    backbone: Backbone,
    *,
    disk: Disk = Disk(),
    watch: Watch = Watch(),
    order: Order = ORDER,
) -> Solver:
    return tune_in(
        folder, TASK, order, models=Models(load=lambda name: backbone), watch=watch, disk=disk
    )


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a run but its lock and what ``sweep`` takes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK and not TEMPORARY.fullmatch(path.name)
    }


def said(solver: Solver) -> list[object]:
    return [(each.outputs, each.evidence) for each in solver([row.inputs for row in TASK.dev])]


@pytest.fixture(scope="module")
def reference(backbone: Backbone) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        begin(Path(folder), backbone)
        yield Path(folder)


class FailingDisk(Disk):
    """Counts its operations, and fails at the k-th, or from the k-th on."""

    def __init__(self, k: int = 0, *, number: int = errno.EIO, lasting: bool = False) -> None:
        self.k, self.number, self.lasting, self.done = k, number, lasting, 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.k or (self.lasting and self.done > self.k):
            raise OSError(self.number, "the disk fails")

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data[: len(data) // 2])
        self.step()
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self.step()
        super().sync(path)

    def rename(self, source: Path, target: Path) -> None:
        self.step()
        super().rename(source, target)

    def sync_folder(self, path: Path) -> None:
        self.step()
        super().sync_folder(path)

    def remove(self, path: Path) -> None:
        self.step()
        super().remove(path)

    def read(self, path: Path) -> bytes:
        self.step()
        return super().read(path)


REMOVALS = 3
OPERATIONS = 9 * 4 + REMOVALS  # of an uninterrupted run: nine files, four operations each


def test_a_run_has_so_many_operations(tmp_path: Path, backbone: Backbone) -> None:
    disk = FailingDisk()
    begin(tmp_path, backbone, disk=disk)
    assert disk.done == OPERATIONS


@pytest.mark.parametrize(("lasting", "step"), [(False, 1), (True, 4)])
def test_whatever_operation_fails_the_next_start_ends_the_same(
    tmp_path: Path, backbone: Backbone, reference: Path, lasting: bool, step: int
) -> None:
    """Open, write, fsync, rename and remove, each in its turn.

    Broken by writing a bundle's facts before its arrays.
    """
    failed, wanted = 0, files(reference)
    for k in range(1, OPERATIONS + 1, step):
        folder = tmp_path / str(k)
        failed += fails(folder, backbone, FailingDisk(k, lasting=lasting))
        begin(folder, backbone)
        assert files(folder).items() >= wanted.items(), f"after operation {k} failed"
        assert not [path for path in (folder / "checkpoints").iterdir() if path.name[0] == "."]
    assert failed == (10 if lasting else OPERATIONS - REMOVALS)  # what stays is no failure


def fails(folder: Path, backbone: Backbone, disk: Disk) -> bool:
    """Whether a run fails, which it may only do in one line."""
    try:
        begin(folder, backbone, disk=disk)
    except AfinaError as error:
        return "\n" not in str(error)
    return False


def test_a_resumed_run_whose_reading_fails_changes_nothing(
    tmp_path: Path, backbone: Backbone, reference: Path
) -> None:
    """Broken by taking a checkpoint that cannot be read for none: the run then begins anew."""
    stop_in(tmp_path, backbone)
    before = files(tmp_path)
    for k in (1, 2):  # the order, the newest checkpoint
        with pytest.raises(AfinaError):
            begin(tmp_path, backbone, disk=FailingDisk(k))
        assert files(tmp_path) == before
    begin(tmp_path, backbone)
    assert files(tmp_path) == files(reference)


def stop_in(folder: Path, backbone: Backbone) -> None:
    """Leave a run in the middle."""
    stops = iter([None, None, Interrupted("stopped", signal_number=2)])
    with pytest.raises(Interrupted):
        begin(folder, backbone, watch=Watch(stop=lambda: next(stops)))


@pytest.mark.parametrize("k", [1, 5, 9, 13, 18, 23, 28, 32, 36])
def test_a_full_disk_names_what_it_could_not_write(
    tmp_path: Path, backbone: Backbone, reference: Path, k: int
) -> None:
    """FAULTS 3, for each file a run writes."""
    with pytest.raises(SpaceError, match=rf"{tmp_path}/.*: expected room for \d+ bytes") as caught:
        begin(tmp_path, backbone, disk=FailingDisk(k, number=errno.ENOSPC))
    assert caught.value.exit_code == 4
    begin(tmp_path, backbone)
    assert files(tmp_path) == files(reference)
    assert not [path for path in tmp_path.rglob("*") if TEMPORARY.fullmatch(path.name)]


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, backbone: Backbone) -> None:
    """FAULTS 1. Broken by saving the bundle again, which gives new times."""
    wanted = said(begin(tmp_path, backbone))

    def state() -> dict[Path, tuple[bytes, int]]:
        paths = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != LOCK]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    before, met = state(), list[str]()
    again = begin(tmp_path, backbone, watch=Watch(at=met.append))
    assert state() == before
    assert met == []
    assert said(again) == wanted


def test_a_run_s_folder_serves_one_process_at_a_time(tmp_path: Path, backbone: Backbone) -> None:
    """FAULTS 5: the second tune is refused within a second, and the first goes on."""
    refused: list[tuple[str, float]] = []

    def meddle(point: str) -> None:
        if point == "before step" and not refused:
            clock = time.monotonic()
            with pytest.raises(BusyError) as caught:
                begin(tmp_path, backbone)
            refused.append((str(caught.value), time.monotonic() - clock))

    begin(tmp_path, backbone, watch=Watch(at=meddle))
    message, seconds = refused[0]
    assert f"{tmp_path} is in use: process " in message
    assert seconds < 1
    assert "bundle/bundle.json" in files(tmp_path)


def test_a_folder_of_another_order_is_refused(tmp_path: Path, backbone: Backbone) -> None:
    stop_in(tmp_path, backbone)
    before = files(tmp_path)
    other = replace(ORDER, seed=1)
    with pytest.raises(MismatchError, match="holds a run with seed 0, not 1"):
        begin(tmp_path, backbone, order=other)
    assert files(tmp_path) == before


def test_settings_of_nothing_reach_the_training(tmp_path: Path, backbone: Backbone) -> None:
    """FAULTS 13: 0, 0.0 and "" are values. Broken by ``given or default``."""
    nothing = {**SETTINGS, "rate": 0.0, "head_rate": 0.0, "warmup": 0.0, "text": ""}
    begin(tmp_path, backbone, order=replace(ORDER, settings={**nothing, "start": "text"}))
    vectors = bundle_at(tmp_path).arrays["prompt"]
    frozen = backbone.frozen
    start = frozen.embed(frozen.encode(TASK.signature.instruction)[:2])
    assert abs(vectors - start.numpy()).max() < 1e-6


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """A tiny model as a folder."""
    with tempfile.TemporaryDirectory() as folder:
        logging.disable_progress_bar()
        raw_model("bert").save_pretrained(folder)
        logging.enable_progress_bar()
        tokenizer_for("bert").save_pretrained(folder)
        yield folder


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("prompt-tuning", SETTINGS),
        ("linear-probe", {}),
        ("full-fine-tuning", {"epochs": 2, "batch": 4}),
        ("majority", {}),
    ],
)
def test_a_solver_is_loaded_as_it_was_tuned(
    tmp_path: Path, model: str, method: str, settings: dict[str, object]
) -> None:
    """DESIGN 6.3, on a model loaded by its name, in the precision that this machine has."""
    weights = (Path(model) / "model.safetensors").read_bytes()
    solver = tune(TASK, method, model=model, settings=settings, run=tmp_path / "run")
    again = load(tmp_path / "run")
    assert said(again) == said(solver)
    assert again.parameters == solver.parameters
    assert (Path(model) / "model.safetensors").read_bytes() == weights


def test_a_tuned_prompt_leaves_the_model_s_bytes(tmp_path: Path) -> None:
    """DESIGN 6.4."""
    own = tiny("gpt2")
    before = digest_of(own.frozen.model)
    begin(tmp_path, own, order=replace(ORDER, model="tiny:gpt2"))
    assert digest_of(own.frozen.model) == before
