"""An alias stands for a run, can be moved on and back, and remembers where it stood."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from afina.errors import InputError
from afina.store.aliases import aliases, history, move_alias, move_back
from afina.store.run import Run
from afina.store.store import Store


@pytest.fixture
def three(store: Store, run: Run) -> Store:
    """A store with finished runs a, b and c, and one that is not: d."""
    for name in "abcd":
        store.add_run(replace(run, name=name, status="running" if name == "d" else "done"))
    return store


def test_an_alias_is_a_run_wherever_one_is_named(three: Store) -> None:
    move_alias(three, "production", "a")
    assert three.run("production").name == "a"
    move_alias(three, "production", "b")
    assert three.run("production").name == "b"
    move_alias(three, "best", "production")
    assert three.run("best").name == "b"
    assert [(each.alias, each.run) for each in aliases(three)] == [
        ("best", "b"),
        ("production", "b"),
    ]


def test_an_alias_goes_back_step_by_step_and_forgets_nothing(three: Store) -> None:
    """Broken by going back to the place it was moved back from."""
    for name in "abc":
        move_alias(three, "production", name)
    assert move_back(three, "production").run == "b"
    assert move_back(three, "production").run == "a"
    assert three.run("production").name == "a"
    with pytest.raises(InputError, match="came 'production': it has only stood for 'a'"):
        move_back(three, "production")
    move_alias(three, "production", "c")
    assert move_back(three, "production").run == "a"
    places = history(three, "production")
    assert [(each.run, each.left is None) for each in places] == [
        *(("a", True), ("b", False), ("c", False), ("c", False))
    ]
    assert all(each.left is None or each.left > each.moved for each in places)


def test_moving_to_where_it_stands_changes_nothing(three: Store) -> None:
    first = move_alias(three, "production", "a")
    assert move_alias(three, "production", "a") == first
    assert len(history(three, "production")) == 1


def test_aliases_and_runs_have_different_names(three: Store, run: Run) -> None:
    move_alias(three, "production", "a")
    with pytest.raises(InputError, match="came 'production', which is an alias"):
        three.add_run(replace(run, name="production"))
    with pytest.raises(InputError, match="expected a new name, came 'b', which a run has"):
        move_alias(three, "b", "a")


@pytest.mark.parametrize("alias", ["", "../x", "A", "a b", "a\0", "x" * 101])
def test_an_alias_has_a_plain_name(alias: str, three: Store) -> None:
    """FAULTS 18."""
    with pytest.raises(InputError, match="expected a run's name"):
        move_alias(three, alias, "a")
    assert aliases(three) == []


def test_only_finished_runs_have_aliases(three: Store) -> None:
    with pytest.raises(InputError, match="came 'd', which is running; finish it with"):
        move_alias(three, "production", "d")
    with pytest.raises(InputError, match="expected the name of a run, came 'zz'"):
        move_alias(three, "production", "zz")
    with pytest.raises(InputError, match="came 'production': there is none"):
        move_back(three, "production")


def test_two_who_go_back_at_once_leave_a_place(three: Store) -> None:
    """Broken by looking in one transaction and writing in another."""
    for name in "abc":
        move_alias(three, "production", name)
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda _: back(three), range(8)))
    assert sorted(ended) == ["a", "b", *["refused"] * 6]
    assert three.run("production").name == "a"


def back(store: Store) -> str:
    try:
        return move_back(store, "production").run
    except InputError:
        return "refused"
