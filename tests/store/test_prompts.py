"""A run's prompts are kept with their digest, their parent and a message."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from afina.errors import ArtefactError, InputError
from afina.hard.prompt import Prompt
from afina.store.prompts import describe_prompts, keep_prompts, of_run, prompts_of, runs_with
from afina.store.run import Run
from afina.store.store import Store
from afina.task.example import Example
from afina.task.signature import Signature

SIGNATURE = Signature.parse("review -> mood", "Tell the mood: é {{ x }}.")
PROMPT = Prompt.of(SIGNATURE, (Example.of({"review": "a"}, {"mood": "b"}),))
OTHER = Prompt.of(SIGNATURE)


@pytest.fixture
def kept(store: Store, run: Run) -> Store:
    """Run a with a prompt, run b with two, run c with none."""
    for name in "abc":
        store.add_run(replace(run, name=name))
    keep_prompts(store, "a", {"prompt": PROMPT}, message="few-shot")
    both, parents = {"think": OTHER, "answer": PROMPT}, {"think": PROMPT.digest}
    keep_prompts(store, "b", both, message="m", parents=parents)
    keep_prompts(store, "c", {}, message="m")
    return store


def test_a_prompt_comes_back_as_it_was(kept: Store) -> None:
    (version,) = of_run(kept, "a")
    assert (version.digest, version.parent, version.message) == (PROMPT.digest, None, "few-shot")
    assert Prompt.from_json(version.content) == PROMPT
    found = [(each.name, each.parent) for each in of_run(kept, "b")]
    assert found == [("answer", None), ("think", PROMPT.digest)]
    assert runs_with(kept, PROMPT.digest) == ["a", "b"]
    assert prompts_of(kept, "c") == []


def test_a_prompt_is_kept_once(kept: Store) -> None:
    """A run that goes on keeps its prompt's message and parent."""
    before = of_run(kept, "a")
    keep_prompts(kept, "a", {"prompt": OTHER}, message="other")
    assert of_run(kept, "a") == before


def test_a_parent_and_a_message_can_be_told_later(kept: Store) -> None:
    describe_prompts(kept, "b", message="shorter")
    assert [(each.parent, each.message) for each in of_run(kept, "b")] == [
        (None, "shorter"),
        (PROMPT.digest, "shorter"),
    ]
    describe_prompts(kept, "b", parent="a")
    assert [(each.parent, each.message) for each in of_run(kept, "b")] == [
        (PROMPT.digest, "shorter"),
        (PROMPT.digest, "shorter"),
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
