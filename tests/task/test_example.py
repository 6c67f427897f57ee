"""Examples: an id from the content."""

from afina.solver import Span
from afina.task.example import Example


def test_an_id_comes_from_the_content_alone() -> None:
    one = Example.of({"a": "x", "b": 0}, {"c": True}, group="g")
    other = Example.of({"b": 0, "a": "x"}, {"c": True})
    assert one.id == other.id == "8e2385968093713e"
    assert one.id != Example.of({"a": "x", "b": 0}, {"c": False}).id


def test_a_given_id_is_kept_and_the_content_known() -> None:
    example = Example.of({"a": ""}, {"c": [Span(0, 1, "PER")]}, id="7")
    assert example.id == "7"
    assert example.content == Example.of({"a": ""}, {"c": [Span(0, 1, "PER")]}).id
