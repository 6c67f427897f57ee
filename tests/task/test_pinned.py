"""Names of tasks, each with the digest of its data."""

from pathlib import Path

import pytest

from afina.errors import MismatchError, SealedError, TaskError
from afina.task.pinned import named_tasks, pinned
from afina.task.task import load_task
from tests.folders import lines, reviews, task_folder
from tests.task.ledger import MemoryLedger


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [
        task_folder(tmp_path, name, rows=lines(reviews(seed=seed)))
        for seed, name in enumerate(("one", "two@home"))
    ]


def test_names_are_pinned_to_their_data_and_read_back(folders: list[Path]) -> None:
    """Broken by splitting at the first @."""
    digests = [load_task(folder).digest for folder in folders]
    found = pinned(f" {folders[0]} ,{folders[1]},")
    wanted = [f"{folder}@{digest[:12]}" for folder, digest in zip(folders, digests, strict=True)]
    assert found == ",".join(wanted)
    assert pinned(found) == found
    assert [task.digest for task in named_tasks(found)] == digests
    assert (pinned(""), named_tasks(" , ")) == ("", [])


def test_changed_data_is_noticed(folders: list[Path]) -> None:
    """Broken by taking the name alone."""
    found = pinned(str(folders[0]))
    (folders[0] / "rows.jsonl").write_text(lines(reviews(seed=9)))
    with pytest.raises(MismatchError, match=r"the data of '.*one' is \w{12}, not \w{12} as when"):
        named_tasks(found)
    with pytest.raises(MismatchError):
        pinned(found)


def test_what_is_no_task_is_refused() -> None:
    with pytest.raises(TaskError, match="came 'nope', which is neither"):
        named_tasks("nope")


def test_their_tests_are_sealed(folders: list[Path]) -> None:
    """Broken by handing tasks out as they were loaded."""
    for task in named_tasks(pinned(str(folders[0]))):
        with pytest.raises(SealedError):
            task.test.open(MemoryLedger(), "source")
