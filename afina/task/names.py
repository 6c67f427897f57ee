"""Names of the data files that a task names."""

import re
import stat
from pathlib import Path

from afina.errors import TaskError

LONGEST = 300


def data_file(folder: Path, name: str) -> Path:
    """A data file that a task's author named, relative to the task's folder.

    ``..`` is allowed there; raises TaskError for anything but the plain name of a regular file.
    """
    fault = name_fault(name)
    if fault:
        raise TaskError(f"expected the name of a data file, came {shown(name)}: {fault}")
    path = folder / name
    try:
        kind = path.lstat().st_mode
    except OSError as error:
        raise TaskError(
            f"no data file {shown(name)} beside task.toml in {folder} ({error.strerror})"
        ) from error
    if not stat.S_ISREG(kind):
        raise TaskError(f"expected a regular file, came {shown(name)}: a folder, link or device")
    return path


def name_fault(name: str) -> str:
    """What makes a name no plain relative path, or nothing."""
    if not name or len(name) > LONGEST:
        return f"a name has 1 to {LONGEST} characters, this one {len(name)}"
    if not name.isprintable():
        return "it holds a control character"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
        return "it is a URL or names a drive"
    if re.search(r"%[0-9A-Fa-f]{2}", name):
        return "it is percent-encoded"
    if "\\" in name:
        return "write '/' between folders"
    return "name it relative to the folder of task.toml" if name.startswith(("/", "~")) else ""


def shown(name: str) -> str:
    """A name for a message, cut at 80 characters."""
    return repr(name if len(name) <= 80 else name[:77] + "...")
