"""What is shown of a soft prompt: words as they are, numbers for machines, and the warning."""

import json

import pytest

from afina.errors import ModelError
from afina.portrait_table import NO_EXPLANATION, prompt_json, prompt_table
from afina.soft.portrait import NearWord, Place, Portrait, Site
from tests.drawing import drawn

WORDED = Portrait(
    (
        Place(1.25, 0.5, (NearWord(" film", 0.987), NearWord("[/red]", 0.5))),
        Place(2.0, 1.5, (NearWord("\x1b[2J\n", 0.25), NearWord("##ing", -0.125))),
    ),
    (),
    ((1.0, 0.75), (0.75, 1.0)),
)
DEEP = Portrait((Place(3.0), Place(4.0)), (Site(1.5, 2.5), Site(0.5, 0.25)), WORDED.similarity)


def test_words_stand_as_they_are_whatever_they_hold() -> None:
    """Broken by cells that rich reads as markup, and by printing a word's control characters."""
    text = drawn(prompt_table(WORDED))
    assert "film 0.99, [/red] 0.50" in text
    assert r"'\x1b[2J\n' 0.25, ##ing -0.12" in text
    assert "\x1b[2J" not in text


def test_words_come_with_the_warning_that_they_explain_nothing() -> None:
    assert NO_EXPLANATION in drawn(prompt_table(WORDED), 200)
    assert prompt_json(WORDED)["warning"] == NO_EXPLANATION  # type: ignore[index]
    assert NO_EXPLANATION not in drawn(prompt_table(DEEP), 200)
    assert prompt_json(DEEP)["warning"] == ""  # type: ignore[index]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_place_is_a_line_with_its_norms(width: int) -> None:
    lines = drawn(prompt_table(WORDED), width).splitlines()
    rows = [line.split() for line in lines]
    assert ["1", "1.250", "0.50", "film", "0.99,"] in [row[:5] for row in rows]
    assert ["2", "2.000", "1.50"] in [row[:3] for row in rows]
    assert max(map(len, lines)) <= width


def test_keys_and_values_show_a_line_a_place_and_a_line_a_site() -> None:
    rows = [line.split() for line in drawn(prompt_table(DEEP)).splitlines()]
    for row in (["1", "3.000"], ["2", "4.000"], ["1", "1.500", "2.500"], ["2", "0.500", "0.250"]):
        assert row in rows


def test_machines_get_every_number() -> None:
    found = json.loads(json.dumps(prompt_json(WORDED), allow_nan=False))
    assert found["similarity"] == [[1.0, 0.75], [0.75, 1.0]]
    assert found["places"][0] == {
        "norm": 1.25,
        "relative_norm": 0.5,
        "nearest": [[" film", 0.987], ["[/red]", 0.5]],
    }
    deep = json.loads(json.dumps(prompt_json(DEEP)))
    assert deep["sites"] == [{"keys": 1.5, "values": 2.5}, {"keys": 0.5, "values": 0.25}]
    assert deep["places"][1] == {"norm": 4.0, "relative_norm": None, "nearest": []}


def test_what_cannot_be_seen_is_told_with_the_reason() -> None:
    fault = ModelError("no model at 'gone': [bold]expected[/bold] a folder")
    assert "the prompt cannot be shown: no model at 'gone': [bold]expected" in drawn(
        prompt_table(fault)
    )
    assert prompt_json(fault) == {"error": str(fault)}


def test_nothing_is_shown_of_what_is_not_there() -> None:
    assert drawn(prompt_table(None)) == ""
    assert prompt_json(None) is None
