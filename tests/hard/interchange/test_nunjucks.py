"""Nunjucks as promptfoo has it, beside what nunjucks 3.2.4 itself rendered."""

import json
from pathlib import Path
from typing import Any

import pytest

from afina.errors import InputError
from afina.hard.interchange.nunjucks import read_nunjucks, write_nunjucks
from afina.hard.interchange.pieces import Slot, template_of

RECORDED = json.loads((Path(__file__).parent / "references" / "nunjucks.json").read_text())


@pytest.mark.parametrize("case", RECORDED, ids=range(len(RECORDED)))
def test_nunjucks_says_what_we_say(case: dict[str, Any]) -> None:
    pieces = tuple(each if isinstance(each, str) else Slot(*each) for each in case["pieces"])
    assert write_nunjucks(pieces) == case["template"]
    assert read_nunjucks(case["template"], "here") == pieces
    assert template_of(pieces).render(case["values"]) == case["rendered"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{# {{ a }} #}", "comments are refused"),
        ("a #} b", "comments are refused"),
        ("{% if a %}x{% endif %}", "blocks are refused"),
        ("{{ a.b }}", "templates have no attributes"),
        ("{{ a | upper }}", "templates have no filters"),
        ("{{ a() }}", "templates have no calls"),
        ("{{- a -}}", "no marks for white space"),
        ("{{ true }}", "a value in nunjucks"),
        ('{{ "\\n" }}', "without a backslash"),
        ("{{ a as html }}", "expected plain fields, came 'a' as html"),
        ("{{ env.HOME }}", "templates have no attributes"),
    ],
)
def test_what_is_no_field_is_refused_with_its_place(text: str, reason: str) -> None:
    """FAULTS 16."""
    with pytest.raises(InputError) as caught:
        read_nunjucks(text, "p.yaml, messages[1]")
    assert str(caught.value).startswith("p.yaml, messages[1]")
    assert reason in str(caught.value)


def test_what_nunjucks_reads_otherwise_is_not_written() -> None:
    with pytest.raises(InputError, match="'none', a value in nunjucks"):
        write_nunjucks((Slot("none"),))
    with pytest.raises(InputError, match="'a' as html"):
        write_nunjucks((Slot("a", html=True),))
