"""The few file operations that everything durable goes through, and the lock on a run's folder."""

import errno
import fcntl
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from afina.errors import AfinaError, BusyError, InputError, SpaceError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENOTEMPTY,
}
TEMPORARY = re.compile(r"\.(\d+)-(\d*)-(\d+)\.afina-tmp")
LOCK = "lock"
PATIENCE_SECONDS = 0.5


class Disk:
    """File operations as the operating system gives them; tests subclass it to make one fail."""

    def write(self, path: Path, data: bytes) -> None:
        """Make or overwrite a file."""
        path.write_bytes(data)

    def sync(self, path: Path) -> None:
        """Force a file's bytes to the device."""
        sync_handle(path, os.O_RDONLY)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in another's place, in one step."""
        os.replace(source, target)

    def sync_folder(self, path: Path) -> None:
        """Force a folder's list of names to the device."""
        sync_handle(path, os.O_RDONLY | os.O_DIRECTORY)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        path.unlink(missing_ok=True)

    def read(self, path: Path) -> bytes:
        """Read a whole file."""
        return path.read_bytes()


def sync_handle(path: Path, flags: int) -> None:
    """Open a path, fsync it and close it."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes, disk: Disk) -> None:
    """Write a file so that its path always holds the old bytes or the new ones, whole.

    Raises: SpaceError where the disk is full; InputError where the path cannot be written;
    AfinaError where the device fails. The temporary file is removed, or left for `sweep`.
    """
    temporary = path.parent / temporary_name()
    try:
        disk.write(temporary, data)
        disk.sync(temporary)
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            disk.remove(temporary)
        raise write_fault(path, error, len(data)) from error


def write_fault(path: Path, error: OSError, needed: int) -> AfinaError:
    """Our error for a write of ``needed`` bytes that the operating system refused."""
    if error.errno in FULL:
        return SpaceError(
            f"no space to write {path}: expected room for {needed} bytes; free some and run again"
        )
    kind = InputError if error.errno in REFUSED else AfinaError
    return kind(f"cannot write {path}: {error.strerror or error}; the file before is untouched")


def temporary_name() -> str:
    """A file name that says which process and thread writes it."""
    pid = os.getpid()
    return f".{pid}-{started(pid)}-{threading.get_ident()}.afina-tmp"


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files that dead writers left under a folder; say which.

    A file of the calling thread is stray too: it writes nothing while it sweeps.
    """
    strays = []
    for parent, _, names in os.walk(folder):
        for name in names:
            match = TEMPORARY.fullmatch(name)
            if match and stray(int(match[1]), match[2], int(match[3])):
                strays.append(Path(parent, name))
    for path in strays:
        path.unlink(missing_ok=True)
    return strays


def stray(pid: int, start: str, thread: int) -> bool:
    """Whether the writer of a temporary file is gone."""
    if pid == os.getpid() and start == started(pid):
        return thread == threading.get_ident()
    return not alive(pid, start)


def started(pid: int) -> str:
    """When a living process began, in the kernel's ticks; empty where that cannot be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def alive(pid: int, start: str) -> bool:
    """Whether the process that had this number, begun at ``start``, still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return started(pid) == start


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this process until the block ends.

    The kernel frees the lock of a process that dies, so nothing stale ever stands in the way.

    Raises: BusyError, within a second, where another process holds it; InputError or SpaceError
    where the lock file cannot be written.
    """
    path = folder / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise write_fault(path, error, 0) from error
    try:
        claim(handle, path)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def claim(handle: int, path: Path) -> None:
    """Take the lock and write in the file who holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(f"{path.parent} is in use: {holder(path)}") from None
    pid = os.getpid()
    owner = json.dumps({"pid": pid, "start": started(pid)}).encode()
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner, 0)
    except OSError as error:
        raise write_fault(path, error, len(owner)) from error


def holder(path: Path) -> str:
    """Who holds a lock, in words; its holder may be about to write its number, so wait a little."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError, KeyError, TypeError):
            owner = json.loads(path.read_bytes())
            if alive(owner["pid"], owner["start"]):
                return f"process {owner['pid']} holds it; wait for it or stop it"
        time.sleep(0.01)
    return "a process that cannot be told holds it, perhaps a child of a dead one; stop it"
