"""Names: what could lead outside is refused, and nothing outside is opened."""

import os
import sys
from pathlib import Path

import pytest

from afina.errors import TaskError
from afina.task.names import data_file

DATA_HOSTILE = [
    "",
    "/etc/passwd",
    "~/rows.csv",
    "..\\rows.csv",
    "C:/rows.csv",
    "file:///etc/passwd",
    "https://example.org/rows.csv",
    "%2e%2e/rows.csv",
    "%252e%252e/rows.csv",
    "rows\0.csv",
    "rows\n.csv",
    "rows\u202e.csv",
    "x" * 301,
]


@pytest.mark.parametrize("name", DATA_HOSTILE)
def test_a_hostile_data_name_is_refused_and_nothing_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "rows.csv").write_text("x")
    folder = tmp_path / "task"
    folder.mkdir()
    opened = watch(lambda: data_file(folder, name))
    assert opened == []


OPENED: list[str] = []
WATCHING: list[bool] = []


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event in ("open", "socket.connect", "subprocess.Popen", "os.listdir"):
        OPENED.append(f"{event} {arguments[0]!r}")


sys.addaudithook(hook)


def watch(call: object) -> list[str]:
    """The files that were opened while the call was refused."""
    assert callable(call)
    OPENED.clear()
    WATCHING.append(True)
    try:
        with pytest.raises(TaskError) as caught:
            call()
    finally:
        WATCHING.clear()
    assert "\n" not in str(caught.value)
    return list(OPENED)


@pytest.mark.parametrize("kind", ["missing", "folder", "link", "pipe"])
def test_only_a_regular_file_is_data(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret.csv").write_text("x")
    path = tmp_path / "task" / "rows.csv"
    path.parent.mkdir()
    match kind:
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "secret.csv")
        case "pipe":
            os.mkfifo(path)
    assert watch(lambda: data_file(path.parent, "rows.csv")) == []


def test_the_author_of_a_task_may_point_to_a_folder_above(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x")
    (tmp_path / "task").mkdir()
    path = data_file(tmp_path / "task", "../rows.csv")
    assert path.read_text() == "x"
