"""FAULTS 2 and 3: a checkpoint loads whole or not at all, and the one before it takes its place."""

import errno
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from afina.disk import Disk, temporary_name
from afina.errors import AfinaError, ArtefactError, SpaceError
from afina.training.checkpoint import KEPT, Checkpoints

FACTS = {"moment": {"step": 1, "best_score": 0.1 + 0.2}, "made_by": {"threads": 1, "onednn": ""}}


def tensors(step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {
        "now.prompt": torch.randn(3, 8, generator=generator),
        "best.prompt": torch.randn(3, 8, generator=generator),
        "optimizer.0.step": torch.tensor(float(step)),
        "generator": generator.get_state(),
    }


@pytest.fixture
def keeper(tmp_path: Path) -> Checkpoints:
    """Checkpoints of the steps 10 and 20."""
    kept = Checkpoints(tmp_path, Disk())
    for step in (10, 20):
        kept.save(step, tensors(step), FACTS)
    return kept


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_holds(keeper: Checkpoints, step: int, damaged: list[Path]) -> None:
    found = keeper.load()
    assert found is not None
    assert found.path.name.startswith(f"step-{step:08d}-")
    assert list(found.damaged) == damaged
    assert found.facts == FACTS
    assert found.tensors.keys() == tensors(step).keys()
    for name, part in tensors(step).items():
        assert torch.equal(found.tensors[name], part)


def test_what_was_saved_is_loaded_bit_for_bit(keeper: Checkpoints) -> None:
    assert_holds(keeper, 20, [])


def test_nothing_saved_is_nothing_to_load(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path, Disk()).load() is None


def test_only_the_newest_are_kept(keeper: Checkpoints) -> None:
    keeper.save(30, tensors(30), FACTS)
    assert [name[:13] for name in names(keeper.folder)] == ["step-00000020", "step-00000030"]
    assert KEPT == 2


def flipped(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def shortened(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


@pytest.mark.parametrize(("damage", "times"), [(flipped, 200), (shortened, 50)])
def test_a_damaged_checkpoint_is_passed_over_and_named(
    keeper: Checkpoints, damage: Callable[[random.Random, bytes], bytes], times: int
) -> None:
    """Broken by trusting the name: most flips then load in silence."""
    newest = sorted(keeper.folder.iterdir())[-1]
    data = newest.read_bytes()
    for number in range(times):
        newest.write_bytes(damage(random.Random(number), data))
        assert_holds(keeper, 10, [newest])
    newest.write_bytes(data)
    assert_holds(keeper, 20, [])


def test_where_none_is_whole_one_line_says_so(keeper: Checkpoints) -> None:
    for path in keeper.folder.iterdir():
        path.write_bytes(flipped(random.Random(1), path.read_bytes()))
    with pytest.raises(ArtefactError) as caught:
        keeper.load()
    message = str(caught.value)
    assert "\n" not in message
    assert str(keeper.folder / "step-00000020-") in message
    assert "is whole (damaged: 2); start the run anew" in message
    assert caught.value.exit_code == 3


def test_a_checkpoint_behind_a_damaged_one_of_a_later_step_stays(keeper: Checkpoints) -> None:
    """Broken by keeping the two of the highest steps: the whole one is then the first to go."""
    keeper.save(30, tensors(30), FACTS)
    for path in sorted(keeper.folder.iterdir())[-2:]:
        path.write_bytes(b"damaged")
    written = Checkpoints(keeper.folder, Disk()).save(12, tensors(12), FACTS)
    assert written.exists()
    assert_holds(keeper, 12, [])
    assert names(keeper.folder) == [written.name]


class FullDisk(Disk):
    """Has room for half of what is written, and then for nothing."""

    def __init__(self, *, removes: bool = True) -> None:
        self.removes = removes

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def remove(self, path: Path) -> None:
        if not self.removes:
            raise OSError(errno.EIO, "Input/output error")
        super().remove(path)


@pytest.mark.parametrize("removes", [True, False])
def test_a_full_disk_leaves_the_checkpoints_before_and_no_stray(
    keeper: Checkpoints, removes: bool
) -> None:
    """Broken by dropping the oldest first, and by not sweeping."""
    before = {path: path.read_bytes() for path in keeper.folder.iterdir()}
    full = Checkpoints(keeper.folder, FullDisk(removes=removes))
    with pytest.raises(SpaceError, match=r"step-00000030-\w{64}.safetensors: .* \d+ bytes"):
        full.save(30, tensors(30), FACTS)
    assert len(names(keeper.folder)) == (2 if removes else 3)
    assert_holds(keeper, 20, [])
    assert {path: path.read_bytes() for path in keeper.folder.iterdir()} == before


def test_a_half_written_file_of_a_dead_process_is_swept(keeper: Checkpoints) -> None:
    (keeper.folder / temporary_name()).write_bytes(b"half")
    assert_holds(keeper, 20, [])
    assert len(names(keeper.folder)) == 2


class StubbornDisk(Disk):
    """Neither removes nor reads."""

    def remove(self, path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def read(self, path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_an_old_checkpoint_that_cannot_be_removed_goes_with_the_next(keeper: Checkpoints) -> None:
    """Broken by letting the error out: a written checkpoint then looks like a failed one."""
    Checkpoints(keeper.folder, StubbornDisk()).save(30, tensors(30), FACTS)
    assert len(names(keeper.folder)) == 3
    keeper.save(40, tensors(40), FACTS)
    assert [name[:13] for name in names(keeper.folder)] == ["step-00000030", "step-00000040"]


def test_a_checkpoint_that_cannot_be_read_is_no_damaged_one(keeper: Checkpoints) -> None:
    with pytest.raises(AfinaError, match=r"cannot read .*step-00000020-.*: Input/output error"):
        Checkpoints(keeper.folder, StubbornDisk()).load()
    assert_holds(keeper, 20, [])
