"""The files of a folder of documents: which are read, and which are left alone."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from afina.task.names import name_fault, shown
from afina.task.rows import Rejection

KINDS = {".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml", ".pdf"}
LARGEST = 50_000_000  # bytes of a file
TABLE = "passages.lance"  # a folder with this in it is an index


@dataclass(frozen=True)
class Listing:
    """Files to read by their names below the folder; those left alone; those refused."""

    files: tuple[str, ...]
    skipped: tuple[str, ...]  # links, and files of other kinds
    refused: tuple[Rejection, ...]


def list_folder(folder: Path) -> Listing:
    """All documents below a folder, by name.

    Hidden files and folders are not looked at, no link is followed, and an index is no document.
    """
    files, skipped, refused = [], [], []
    for path in walk(folder):
        name = path.relative_to(folder).as_posix()
        fault = name_fault(name)
        if path.is_symlink() or path.suffix.lower() not in KINDS or not path.is_file():
            skipped.append(name)
        elif fault:
            refused.append(Rejection(folder, 1, f"cannot take the file {shown(name)}: {fault}"))
        else:
            files.append(name)
    return Listing(tuple(files), tuple(skipped), tuple(refused))


def walk(folder: Path) -> Iterator[Path]:
    """Every file and link below a folder that is not hidden, in order of their names."""
    for parent, folders, files in os.walk(folder):
        inner = [each for each in sorted(folders) if not each.startswith(".")]
        links = [each for each in inner if Path(parent, each).is_symlink()]
        folders[:] = [
            each for each in inner if each not in links and not Path(parent, each, TABLE).is_dir()
        ]
        for name in sorted([*files, *links]):
            if not name.startswith("."):
                yield Path(parent, name)


def read_bytes(path: Path) -> bytes:
    """A regular file's bytes; a link is not followed.

    Raises:
        ValueError: it is a link or too large, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("expected a regular file, came a folder or device")
            if found.st_size > LARGEST:
                raise ValueError(
                    f"expected at most {LARGEST:,} bytes, came {found.st_size:,}: divide the file"
                )
            return file.read(LARGEST)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from error
