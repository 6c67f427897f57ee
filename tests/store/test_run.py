"""Runs have plain names."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afina.errors import InputError
from afina.store.run import check_name, plain, run_name


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


HOSTILE = [
    "",
    ".",
    "..",
    "../outside.csv",
    "a/../../outside.csv",
    "..\\outside.csv",
    "%2e%2e/outside.csv",
    "%2e%2e%2foutside.csv",
    "%252e%252e%252foutside.csv",
    "/etc/passwd",
    "~/x",
    "C:\\x",
    "file:///etc/passwd",
    "http://example.org/x",
    "a\0b",
    "a\nb",
    "a#b",
    "a?b",
    "a b",
    "-rf",
    ".hidden",
    "a..b",
    "a" * 101,
    "a" * 300,
    "рaypal",  # a Cyrillic р
    "ａ",
    "A",
    "a\u2025b",
    "a\u202eb",
    "é",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_run_name_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match="expected a run's name") as caught:
        check_name(name)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["a", "0", "mr-prompt-tuning-0", "v1.2_x", "a" * 100])
def test_a_plain_run_name_comes_back_unchanged(name: str) -> None:
    assert check_name(name) == name


@given(st.text(max_size=120))
def test_an_accepted_name_is_one_step_below_its_folder(name: str) -> None:
    try:
        check_name(name)
    except InputError:
        return
    assert os.path.normpath(f"/runs/{name}") == f"/runs/{name}"
    assert Path(f"/runs/{name}").parent == Path("/runs")


@pytest.mark.parametrize("task", ["uci_sentiment", "Meu Dados", "ünï/../cødé", "__x__", "a..b", ""])
def test_a_name_made_of_any_words_is_plain(task: str) -> None:
    assert check_name(f"{plain(task, 'majority')}-1") == f"{plain(task, 'majority')}-1"
    assert plain("uci_sentiment", "majority") == "uci_sentiment-majority"
