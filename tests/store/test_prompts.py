"""A run's prompts are kept with their digest, their parent and a message."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from afina.errors import ArtefactError, InputError
from afina.store.prompts import describe_prompts, keep_prompt, of_run, prompts_of, runs_with
from afina.store.run import Run
from afina.store.store import Store


@pytest.fixture
def kept(store: Store, run: Run) -> Store:
    """Run a with a prompt, run b with two, run c with none."""
    for name in "abc":
        store.add_run(replace(run, name=name))
    keep_prompt(store, "a", "prompt", {"user": "x é"}, digest="1a", message="few-shot")
    keep_prompt(store, "b", "think", {"user": "y"}, digest="2b", message="m", parent="1a")
    keep_prompt(store, "b", "answer", {"user": "z"}, digest="1a", message="m")
    return store


def test_a_prompt_comes_back_as_it_was(kept: Store) -> None:
    (version,) = of_run(kept, "a")
    assert (version.digest, version.parent, version.message) == ("1a", None, "few-shot")
    assert version.content == {"user": "x é"}
    assert [each.name for each in of_run(kept, "b")] == ["answer", "think"]
    assert runs_with(kept, "1a") == ["a", "b"]
    assert prompts_of(kept, "c") == []


def test_a_prompt_is_kept_once(kept: Store) -> None:
    """A run that goes on keeps its prompt's message and parent."""
    before = of_run(kept, "a")
    keep_prompt(kept, "a", "prompt", {"user": "other"}, digest="9", message="other")
    assert of_run(kept, "a") == before


def test_a_parent_and_a_message_can_be_told_later(kept: Store) -> None:
    describe_prompts(kept, "b", message="shorter")
    assert [(each.parent, each.message) for each in of_run(kept, "b")] == [
        (None, "shorter"),
        ("1a", "shorter"),
    ]
    describe_prompts(kept, "b", parent="a")
    assert [(each.parent, each.message) for each in of_run(kept, "b")] == [
        ("1a", "shorter"),
        ("1a", "shorter"),
    ]


def test_a_run_without_the_prompt_is_refused(kept: Store) -> None:
    with pytest.raises(
        InputError, match="expected a run with a written prompt, came 'c', majority"
    ):
        describe_prompts(kept, "a", parent="c")
    with pytest.raises(InputError, match="a prompt called 'prompt', came one with answer, think"):
        describe_prompts(kept, "a", parent="b")


def test_a_damaged_prompt_is_named(kept: Store) -> None:
    with closing(sqlite3.connect(kept.path)) as connection:
        connection.execute("UPDATE prompts SET content = '{'")
        connection.commit()
    with pytest.raises(ArtefactError, match="prompt 'prompt' of 'a' is damaged"):
        of_run(kept, "a")
