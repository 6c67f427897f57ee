"""Examples are chosen by the seed or by the row, as each selector's formula says."""

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from afina.errors import InputError
from afina.hard.demonstrations import SAME_FOR_ALL, SELECTORS, Aids, choose_demonstrations
from afina.task.example import Example
from afina.task.signature import Signature
from tests.training.tiny_task import review_task

SIGNATURE = Signature.parse("text -> label: a | b")
PLACES = {"east": (1.0, 0.0), "east too": (0.99, 0.1), "north": (0.2, 1.0), "west": (-1.0, 0.1)}


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Places by name, any length; a text that has none stands nowhere."""
    found = [PLACES.get(text, (0.0, 0.0)) for text in texts]
    return 3 * np.array(found, dtype=np.float32)


def example(text: str, label: str = "a") -> Example:
    return Example.of({"text": text}, {"label": label})


def texts(shown: Sequence[Example]) -> list[str]:
    return [str(each.inputs["text"]) for each in shown]


AIDS = Aids(SIGNATURE, vectors=vectors)
EXAMPLES = [example(text) for text in ("west", "east", "north", "east too", "nowhere")]


@pytest.mark.parametrize("name", SELECTORS)
def test_a_count_is_kept(name: str) -> None:
    select = SELECTORS[name](EXAMPLES, AIDS)
    for count in range(8):
        shown = select({"text": "up"}, count)
        assert len(shown) == len({each.id for each in shown}) == min(count, 5)
        assert all(each in EXAMPLES for each in shown)
    assert SELECTORS[name]([], AIDS)({"text": "up"}, 3) == ()


@pytest.mark.parametrize("name", SELECTORS)
def test_the_same_row_is_shown_the_same_examples(name: str) -> None:
    select, again = (SELECTORS[name](EXAMPLES, AIDS) for _ in range(2))
    assert select({"text": "east"}, 3) == select({"text": "east"}, 3) == again({"text": "east"}, 3)
    rows = [select({"text": text}, 2) for text in ("a west wind", "a north wind", "x" * 1990)]
    if name in SAME_FOR_ALL:
        assert rows[0] == rows[1] == rows[2]


def test_the_seed_decides_what_is_drawn() -> None:
    many = [example(f"t{number}", "ab"[number % 2]) for number in range(50)]
    for name in ("random", "balanced", "length"):
        chosen = {
            seed: SELECTORS[name](many, Aids(SIGNATURE, seed=seed))({"text": "x"}, 4)
            for seed in (0, 1)
        }
        assert chosen[0] != chosen[1]


def test_balanced_takes_the_labels_in_turn() -> None:
    rare = [example(f"t{number}", "b" if number == 40 else "a") for number in range(50)]
    shown = SELECTORS["balanced"](rare, AIDS)({"text": "x"}, 2)
    assert {each.outputs["label"] for each in shown} == {"a", "b"}


def test_by_length_fills_the_room_and_no_more() -> None:
    """Broken by counting the examples without the row, or by stopping at the first too long."""
    many = [example("x" * length) for length in (5, 50, 500, 7)]
    for room, wanted in ((10 + 7 + 9, [5, 7]), (10 + 7 + 9 + 52, [5, 7, 50]), (10 + 6, [])):
        shown = SELECTORS["length"](many, Aids(SIGNATURE, room=room))({"text": "y" * 10}, 9)
        assert sorted(len(text) for text in texts(shown)) == wanted
    words = Aids(SIGNATURE, room=3, length=lambda text: len(text.split()))
    assert len(SELECTORS["length"](many, words)({"text": "one"}, 9)) == 1


def test_the_nearest_stands_last() -> None:
    """By direction, not by length. Broken by a product of vectors of any length."""
    PLACES["far east"] = (100.0, 30.0)
    select = SELECTORS["nearest"]([*EXAMPLES, example("far east")], AIDS)
    assert texts(select({"text": "east, "}, 2)) == ["east", "west"]  # nowhere: the first ones
    PLACES["here"] = (5.0, 0.0)
    assert texts(select({"text": "here"}, 3)) == ["far east", "east too", "east"]


def test_mmr_is_the_formula_by_hand() -> None:
    """Carbonell and Goldstein's sum, written out; λ = 1 is the nearest."""
    draw = np.random.default_rng(0)
    points = draw.normal(size=(20, 4)).astype(np.float32)
    known = {f"t{place}": point for place, point in enumerate(points)}
    many = [example(text) for text in known]
    known["row"] = draw.normal(size=4).astype(np.float32)

    def look(asked: Sequence[str]) -> NDArray[np.float32]:
        return np.array([known[text] for text in asked])

    def cosine(one: str, other: str) -> float:
        a, b = known[one], known[other]
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    for likeness in (0.3, 0.7, 1.0):
        chosen: list[str] = []
        for _ in range(6):
            gains = {
                text: likeness * cosine(text, "row")
                - (1 - likeness) * max([cosine(text, each) for each in chosen], default=0.0)
                for text in known
                if text not in (*chosen, "row")
            }
            chosen.append(max(gains, key=gains.__getitem__))
        aids = Aids(SIGNATURE, vectors=look, likeness=likeness)
        assert texts(SELECTORS["mmr"](many, aids)({"text": "row"}, 6))[::-1] == chosen
    assert chosen == texts(SELECTORS["nearest"](many, aids)({"text": "row"}, 6))[::-1]


def test_overlap_is_dice_over_n_grams() -> None:
    """Broken by counting shared words alone: the long one then wins."""
    long = "the plot of a film that is long and has the words of every good review in it"
    many = [example(text) for text in (long, "a good film", "good", "a film good")]
    select = SELECTORS["overlap"](many, AIDS)
    assert texts(select({"text": "A good film!"}, 4))[::-1] == [
        "a good film",  # (1 + 1 + 1)
        "a film good",  # (1 + 0 + 0)
        "good",  # (2/4 + 0 + 0)
        long,  # (6/19 + 0 + 0)
    ]


@pytest.mark.parametrize("name", ["nearest", "mmr", "overlap"])
def test_a_row_is_never_shown_its_own_answer(name: str) -> None:
    """Broken by an example of the training rows that is its own nearest."""
    shown = SELECTORS[name](EXAMPLES, AIDS)({"text": "east"}, 9)
    assert sorted(texts(shown)) == ["east too", "north", "nowhere", "west"]


@pytest.mark.parametrize("name", ["nearest", "mmr"])
def test_vectors_need_a_model_that_gives_them(name: str) -> None:
    with pytest.raises(InputError, match="needs a model that gives them; name one"):
        SELECTORS[name](EXAMPLES, Aids(SIGNATURE))


@pytest.mark.parametrize("name", ["nearest", "mmr"])
def test_the_examples_vectors_are_asked_for_once(name: str) -> None:
    asked: list[int] = []

    def count(given: Sequence[str]) -> NDArray[np.float32]:
        asked.append(len(given))
        return vectors(given)

    select = SELECTORS[name](EXAMPLES, Aids(SIGNATURE, vectors=count))
    for _ in range(3):
        select({"text": "east"}, 2)
    assert asked == [5, 1, 1, 1]


def test_examples_take_the_labels_in_turn() -> None:
    """Broken by the first ones in the order, whatever their label."""
    task = review_task(train=20, dev=2)
    order = sorted(range(20), key=lambda place: place % 2)  # all positive ones first
    for count in range(1, 9):
        shown = choose_demonstrations(task.train, task.signature, count=count, order=order)
        assert len(shown) == count
        labels = Counter(example.outputs["sentiment"] for example in shown)
        assert labels["positive"] - labels["negative"] == count % 2


def test_examples_follow_the_order() -> None:
    task = review_task(train=12, dev=2)
    order = random.Random(3).sample(range(12), 12)
    shown = choose_demonstrations(task.train, task.signature, count=2, order=order)
    assert shown[0] == task.train[order[0]]
    assert all(example in task.train for example in shown)


def test_more_examples_than_there_are_are_all_of_them() -> None:
    task = review_task(train=7, dev=2)
    shown = choose_demonstrations(task.train, task.signature, count=99, order=range(7))
    assert sorted(example.id for example in shown) == sorted(example.id for example in task.train)


def test_no_examples_are_none() -> None:
    task = review_task(train=4, dev=2)
    assert choose_demonstrations(task.train, task.signature, count=0, order=range(4)) == ()
    assert choose_demonstrations([], task.signature, count=3, order=[]) == ()
