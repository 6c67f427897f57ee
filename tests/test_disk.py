"""Every failing operation leaves the old file or the new one whole; a folder has one holder."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from afina.disk import (
    Disk,
    alive,
    lock_folder,
    replace_file,
    started,
    sweep,
    temporary_name,
    write_fault,
)
from afina.errors import AfinaError, BusyError, InputError, SpaceError

OLD, NEW = b"old" * 100, b"new" * 200


class Killed(BaseException):
    """The process dies here: nothing after it runs."""


class FailingDisk(Disk):
    """A disk whose operations fail from the k-th on, or only at the k-th."""

    def __init__(self, k: int, error: BaseException, *, lasting: bool = False) -> None:
        self.k, self.error, self.lasting, self.done = k, error, lasting, 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.k or (self.lasting and self.done > self.k):
            raise self.error

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


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    replace_file(path, OLD, Disk())
    replace_file(path, NEW, Disk())
    assert Disk().read(path) == NEW
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "I/O error"), Killed()], ids=["fails", "dies"]
)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_any_failing_operation_leaves_a_whole_file_and_nothing_after_a_sweep(
    tmp_path: Path, k: int, error: BaseException, lasting: bool
) -> None:
    path = tmp_path / "checkpoint"
    replace_file(path, OLD, Disk())
    with pytest.raises((AfinaError, Killed)):
        replace_file(path, NEW, FailingDisk(k, error, lasting=lasting))
    assert path.read_bytes() == (NEW if k == 4 else OLD)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_there_is_no_fifth_operation_to_fail(tmp_path: Path) -> None:
    disk = FailingDisk(5, OSError(errno.EIO, "I/O error"))
    replace_file(tmp_path / "checkpoint", NEW, disk)
    assert disk.done == 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_the_path_and_the_bytes(tmp_path: Path, number: int) -> None:
    path = tmp_path / "checkpoint"
    disk = FailingDisk(1, OSError(number, "full"))
    with pytest.raises(SpaceError, match=rf"{path}.*600 bytes") as caught:
        replace_file(path, NEW, disk)
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_file_over_the_size_limit_keeps_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(OLD)
    code = f"""
import resource
from pathlib import Path
from afina.disk import Disk, replace_file
from afina.errors import SpaceError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    replace_file(Path({str(path)!r}), bytes(5000), Disk())
except SpaceError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert str(path) in result.stdout, result.stderr
    assert "5000 bytes" in result.stdout
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/checkpoint: No such file"):
        replace_file(tmp_path / "nowhere" / "checkpoint", NEW, Disk())


def test_a_failing_device_is_no_error_of_the_user(tmp_path: Path) -> None:
    fault = write_fault(tmp_path, OSError(errno.EIO, "I/O error"), 1)
    assert type(fault) is AfinaError


def test_a_sweep_takes_the_dead_writers_file_and_leaves_the_living(tmp_path: Path) -> None:
    with sleeper("") as process:
        mine = tmp_path / "deep" / temporary_name()
        mine.parent.mkdir()
        mine.touch()
        living = tmp_path / f".{process.pid}-{started(process.pid)}-1.afina-tmp"
        reborn = tmp_path / f".{process.pid}-1-1.afina-tmp"
        other = tmp_path / ".notes.afina-tmp"
        for path in (living, reborn, other):
            path.touch()
        assert set(sweep(tmp_path)) == {mine, reborn}
        assert set(tmp_path.iterdir()) == {mine.parent, living, other}
    assert sweep(tmp_path) == [living]


@contextmanager
def sleeper(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the code, says so, and waits to be told to end."""
    lines = f"{code}\nprint('ready', flush=True)\ninput()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def holding(folder: Path) -> str:
    return (
        "from pathlib import Path\nfrom afina.disk import lock_folder\n"
        f"held = lock_folder(Path({str(folder)!r}))\nheld.__enter__()"
    )


def test_a_second_process_is_refused_within_a_second_by_name(tmp_path: Path) -> None:
    with sleeper(holding(tmp_path)) as process:
        begin = time.monotonic()
        with (
            pytest.raises(BusyError, match=rf"process {process.pid} holds it"),
            lock_folder(tmp_path),
        ):
            pass
        assert time.monotonic() - begin < 1


def test_a_dead_process_s_lock_is_taken_over(tmp_path: Path) -> None:
    with sleeper(holding(tmp_path)) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with lock_folder(tmp_path):
            assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_a_second_holder_in_the_same_process_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(BusyError, match=str(os.getpid()))
    with lock_folder(tmp_path), refused, lock_folder(tmp_path):
        pass


def test_a_lock_is_free_after_its_block_even_when_that_raised(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), lock_folder(tmp_path):
        raise ZeroDivisionError
    assert (tmp_path / "lock").read_bytes() == b""
    with lock_folder(tmp_path):
        pass


def test_a_holder_that_cannot_be_told_is_refused_within_a_second(tmp_path: Path) -> None:
    with sleeper(holding(tmp_path)):
        (tmp_path / "lock").write_text("not json")
        begin = time.monotonic()
        with pytest.raises(BusyError, match="cannot be told"), lock_folder(tmp_path):
            pass
        assert time.monotonic() - begin < 1


def test_locking_a_folder_that_is_not_there_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"), lock_folder(tmp_path / "nowhere"):
        pass


def test_a_process_number_used_again_is_another_process() -> None:
    assert alive(os.getpid(), started(os.getpid()))
    assert not alive(os.getpid(), "1")
    with sleeper("") as process:
        start = started(process.pid)
    assert not alive(process.pid, start)


def test_a_dead_process_that_nobody_has_waited_for_is_dead() -> None:
    with sleeper("") as process:
        start = started(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(process.pid, start)
