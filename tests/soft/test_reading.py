"""Inputs become tokens: each value as it is, cut where there is no room, the tail always whole."""

from dataclasses import replace

import pytest

from afina.errors import InputError
from afina.soft.reading import Read, Reader, check_written, labelled_rows, labels_of, written
from afina.solver import Value
from afina.task.signature import Signature
from tests.tiny import shared
from tests.training.tiny_task import review_task

ONE = Signature.parse("review -> mood: good | bad")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("It's {p:3} <s> \n ok ", "It's {p:3} <s> \n ok "),
        ("", ""),
        (0, "0"),
        (0.0, "0.0"),
        (False, "False"),
        ([], ""),
        (["the", "", "plot"], "the  plot"),
    ],
)
def test_a_lone_value_stands_as_it_is(value: Value, text: str) -> None:
    """FAULTS 13: broken by ``value or ""``, which loses 0 and False."""
    assert written(ONE, {"review": value}) == text


def test_several_values_stand_on_lines_with_their_names() -> None:
    signature = Signature.parse("context, count: int, sure: bool -> answer")
    inputs: dict[str, Value] = {"sure": False, "count": 0, "context": "", "unused": "x"}
    assert written(signature, inputs) == "context: \ncount: 0\nsure: False"


def test_a_text_that_fits_is_read_whole() -> None:
    frozen = shared("bert").frozen
    reader = Reader(frozen, ONE, room=3, tail=())
    assert reader.read({"review": "good film it"}) == Read(frozen.encode("good film it"))


@pytest.mark.parametrize(("room", "kept"), [(5, 3), (4, 2), (3, 1), (2, 1), (1, 1)])
def test_a_longer_text_loses_its_end_and_says_how_much(room: int, kept: int) -> None:
    """Broken by cutting the tail, or by keeping the end."""
    frozen = shared("bert").frozen
    text = "good film it was great"
    read = Reader(frozen, ONE, room, tail=(8, 9)).read({"review": text})
    assert read.tokens == [*frozen.encode(text)[:kept], 8, 9]
    assert read.cut == 5 - kept


def test_an_empty_text_is_the_tail_alone() -> None:
    read = Reader(shared("bert").frozen, ONE, 10, tail=(8, 9)).read({"review": ""})
    assert read == Read([8, 9])


def test_labels_stand_in_the_signature_s_order() -> None:
    assert labels_of(ONE) == ("good", "bad")


def test_a_target_without_labels_has_none() -> None:
    with pytest.raises(
        InputError, match="expected a target that is a choice of labels, got 'n: int"
    ):
        labels_of(Signature.parse("review -> n: int"))


def test_rows_know_the_places_of_their_labels() -> None:
    task = review_task(train=6, dev=2)
    reader = Reader(shared("bert").frozen, task.signature, 60)
    rows = labelled_rows(task, reader, ("positive", "negative"))
    assert [row.label for row in rows] == [0, 1, 0, 1, 0, 1]
    assert [replace(row, label=-1) for row in rows] == [
        reader.read(example.inputs) for example in task.train
    ]


@pytest.mark.parametrize("target", ["a", "a: str", "a: x | y", "a: spans"])
def test_targets_that_a_model_can_write_are_taken(target: str) -> None:
    check_written(Signature.parse(f"q -> {target}"))


@pytest.mark.parametrize("target", ["a: int", "a: float", "a: bool", "a: list[str]", "a: spans[X]"])
def test_targets_that_are_not_read_back_are_refused(target: str) -> None:
    with pytest.raises(InputError, match="a local model writes no other"):
        check_written(Signature.parse(f"q -> {target}"))
