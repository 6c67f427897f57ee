"""What a check of a task found, as a person sees it and as JSON."""

from pathlib import Path

from afina.task.check import TaskCheck
from afina.task.rows import Rejection
from afina.task.signature import Signature
from afina.task_table import task_json, task_text
from tests.drawing import drawn


def test_a_check_lists_twenty_of_a_kind_and_json_lists_all() -> None:
    rejected = tuple(Rejection(Path("rows.csv"), line, "odd") for line in range(2, 40))
    none: dict[str, int] = {}
    found = TaskCheck(
        *("mood", Signature.parse("a -> b"), "exact_match", {"train": 3}, {}, rejected, ()),
        *("refuse", none, ("no dev",), ("few rows",)),
    )
    text = drawn(task_text(found))
    assert text.count("  rejected: rows.csv:") == 20
    assert "… and 18 more rejected; --json lists all" in text
    assert "  fault: no dev\n  warning: few rows\n" in text
    assert text.endswith("not ready: mend 38 rejected rows and 1 faults, listed above\n")
    assert len(task_json(found)["rejected"]) == 38  # type: ignore[arg-type]
