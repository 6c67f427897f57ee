"""What the store raises, as errors of ours."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from afina.disk import FULL
from afina.errors import AfinaError, ArtefactError, InputError, SpaceError

RAISED = (RuntimeError, ValueError, OSError)  # all that lancedb raises
NUMBER = re.compile(r"\(os error (\d+)\)")


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Reads of an index.

    Raises:
        ArtefactError: a file of it is damaged or missing.
        InputError: it may not be read.
    """
    try:
        yield
    except RAISED as error:
        if number_of(error) in (errno.EACCES, errno.EPERM):
            raise InputError(f"cannot read the index {folder}: permission denied") from error
        raise ArtefactError(
            f"the index {folder} is damaged ({first_line(error)}); remove the folder and make it "
            "anew with: afina index SOURCE --into INDEX"
        ) from error


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Writes to an index.

    Raises:
        SpaceError: the disk is full.
        AfinaError: the write failed otherwise.
    """
    try:
        yield
    except RAISED as error:
        if number_of(error) in FULL:
            raise SpaceError(
                f"no space to write the index {folder}; what was kept before is whole: free some "
                "and run again"
            ) from error
        raise AfinaError(
            f"cannot write the index {folder} ({first_line(error)}); what was kept before is whole"
        ) from error


def number_of(error: Exception) -> int | None:
    """The operating system's number of an error, which lancedb gives as text alone."""
    found = NUMBER.search(str(error))
    return int(found[1]) if found else getattr(error, "errno", None)


def first_line(error: Exception) -> str:
    """The beginning of a message."""
    return " ".join(str(error).split())[:200]
