"""Mustache as LangChain has it: fields plain and as HTML."""

import pytest

from afina.errors import InputError
from afina.hard.interchange.mustache import read_mustache, write_mustache
from afina.hard.interchange.pieces import Slot


def test_fields_are_read_plain_and_as_html() -> None:
    found = read_mustache("{ {{a}}{{{ b }}}{{& c }} }", "here")
    assert found == ("{ ", Slot("a", html=True), Slot("b"), Slot("c"), " }")
    assert read_mustache(write_mustache(found), "here") == found


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("{{#a}}x{{/a}}", "came '#a'; no sections"),
        ("{{^a}}", "no sections"),
        ("{{!a}}", "no comments"),
        ("{{>a}}", "no partials"),
        ("{{=<% %>=}}", "no other delimiters"),
        ("{{a.b}}", "came 'a.b'; attributes and indices are refused"),
        ("{{.}}", "came '.'"),
        ("{{a b}}", "came 'a b'"),
        ("{{a", "is never closed"),
        ("{{{a}} }", "is never closed by }}}"),
        ("{{}}", "came ''"),
    ],
)
def test_what_is_no_field_is_refused_with_its_line(tag: str, reason: str) -> None:
    """FAULTS 16."""
    with pytest.raises(InputError) as caught:
        read_mustache(f"{{{{ok}}}}\n\n{tag}", "here")
    assert str(caught.value).startswith("here, line 3: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("pieces", [("a {{ b",), ("{", Slot("a"))])
def test_braces_of_a_text_that_mustache_would_take_are_refused(pieces: tuple[str | Slot]) -> None:
    with pytest.raises(InputError, match="mustache"):
        write_mustache(pieces)
