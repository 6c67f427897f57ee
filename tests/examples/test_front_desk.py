"""The example task that ships with Afina: its data are what its generator writes."""

import json
import re
import runpy
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from afina.task.check import inspect_task

FOLDER = Path(__file__).parent.parent.parent / "examples" / "front_desk"


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    """The names of generate.py, which stands in no package."""
    return runpy.run_path(str(FOLDER / "generate.py"))


def rows() -> list[dict[str, str]]:
    text = (FOLDER / "messages.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_the_generator_writes_the_data_file_byte_for_byte(generate: dict[str, Any]) -> None:
    written: Callable[[], str] = generate["rows_as_text"]
    assert written().encode() == (FOLDER / "messages.jsonl").read_bytes()


def test_each_desk_has_as_many_messages_as_any_other() -> None:
    assert Counter(row["desk"] for row in rows()) == {
        "housekeeping": 250,
        "kitchen": 250,
        "billing": 250,
        "transport": 250,
    }


def test_no_two_messages_are_nearly_alike(generate: dict[str, Any]) -> None:
    traces = [(generate["words"](row["message"]), row["message"]) for row in rows()]
    for (one, first), (two, second) in combinations(traces, 2):
        assert len(one & two) <= 0.55 * len(one | two), (first, second)


def test_no_slot_is_left_open_and_each_message_begins_with_a_capital() -> None:
    for row in rows():
        assert not re.search(r"[{}]", row["message"]), row
        assert row["message"][0].isupper(), row


def test_the_checker_finds_the_task_usable_and_its_splits_clean() -> None:
    found = inspect_task(str(FOLDER))
    assert found.usable
