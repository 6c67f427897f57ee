"""Runs have plain names."""

import random

import pytest

from afina.errors import InputError
from afina.store.run import check_name, run_name


def test_a_name_says_task_and_method_and_is_drawn_by_the_generator() -> None:
    name = run_name("MR/../Über task", "p-tuning-v2", random.Random(0))
    assert name.startswith("mr-ber-task-p-tuning-v2-")
    assert name == run_name("MR/../Über task", "p-tuning-v2", random.Random(0))
    assert name != run_name("MR/../Über task", "p-tuning-v2", random.Random(1))


@pytest.mark.parametrize("task", ["mr", "", "...", "../..", "日本", "x" * 500, "-a-"])
def test_every_name_we_give_is_one_we_take(task: str) -> None:
    for method in ("", "prompt-tuning"):
        name = run_name(task, method, random.Random(0))
        assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "../a",
        "a/b",
        "a\\b",
        "/a",
        "a..b",
        "%2e%2e",
        "a\0b",
        "a#b",
        "a?b",
        "A",
        "а",
        "a\n",
        ".a",
        "-a",
        "a" * 101,
    ],
)
def test_names_that_are_no_plain_folder_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a run's name"):
        check_name(name)
