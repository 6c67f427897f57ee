"""F-strings of LangChain: fields and braces, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import InputError
from afina.hard.interchange.f_string import read_f_string, write_f_string
from afina.hard.interchange.pieces import Slot, joined

TEXTS = st.text(alphabet="{}%#x:! \n\"'", max_size=8)
PIECES = st.lists(TEXTS | st.sampled_from([Slot("a"), Slot("b")]), max_size=6).map(joined)


@given(PIECES)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_again_and_says_what_python_says(pieces: tuple[str | Slot]) -> None:
    text = write_f_string(pieces)
    assert read_f_string(text, "here") == pieces
    values = {"a": "{b} {{", "b": "}"}
    said = "".join(values[each.name] if isinstance(each, Slot) else each for each in pieces)
    assert text.format(**values) == said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{x.__class__}", "came 'x.__class__'; attributes and indices are refused"),
        ("{x[0]}", "came 'x[0]'; attributes and indices are refused"),
        ("{x:>100000000}", "came 'x' with the format '>100000000'"),
        ("{x:{y}}", "with the format '{y}'"),
        ("{x!r}", "with the format 'r'"),
        ("{}", "came ''; any other is refused"),
        ("{0}", "came '0'; any other is refused"),
        ("{ x }", "came ' x '"),
        ("{_x}", "came '_x'"),
        ("{if}", "came 'if'"),
    ],
)
def test_more_than_a_name_is_refused_with_its_line(text: str, reason: str) -> None:
    """FAULTS 16, CVE-2025-65106."""
    with pytest.raises(InputError) as caught:
        read_f_string(f"one\n{text}", "p.json, messages[0]")
    assert str(caught.value).startswith("p.json, messages[0], line 2: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("text", ['{"a": 1', "}", "{"])
def test_braces_that_are_not_doubled_are_refused_with_the_place(text: str) -> None:
    with pytest.raises(InputError, match=r"^here: expected an f-string template, but"):
        read_f_string(text, "here")


def test_a_field_as_html_cannot_be_written() -> None:
    with pytest.raises(InputError, match="expected plain fields, came 'a' as html"):
        write_f_string((Slot("a", html=True),))
