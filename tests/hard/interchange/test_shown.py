"""Examples read out of the turns that show them: one reading, or none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import InputError
from afina.hard.interchange.shown import inputs_of
from afina.hard.template import Template
from afina.task.signature import Signature

PAIR = Signature.parse("a, b -> c")
TEXT = st.text(alphabet="ab: \n{}", max_size=6)


@given(TEXT, TEXT)
@settings(max_examples=300, deadline=None)
def test_inputs_are_found_or_refused_and_never_mistaken(a: str, b: str) -> None:
    """Broken by taking the first reading of several."""
    user = Template("a: {{ a }}\nb: {{ b }}\n")
    try:
        found = inputs_of(user.render({"a": a, "b": b}), user, PAIR, "here")
    except InputError:
        assert "\n" in a + b
        return
    assert found == {"a": a, "b": b}


def test_typed_inputs_are_read_as_their_types() -> None:
    signature = Signature.parse("a: int, b: list[str], c: bool -> d")
    user = Template("{{ a }}|{{ b }}|{{ c as html }}")
    assert inputs_of("3|x y|True", user, signature, "here") == {"a": 3, "b": ["x", "y"], "c": True}


@pytest.mark.parametrize(
    ("said", "text", "reason"),
    [
        ("x y z", "{{ a }} {{ b }}", "can be told apart in several ways"),
        ("xy", "{{ a }}{{ b }}", "can be told apart in several ways"),
        ("x|", "{{ a }}", "expected an example with 'b', which the last turn does not name"),
        ("1 2", "{{ a }} {{ a }}{{ b }}", "."),
        ("x", "{% if a %}{{ b }}{% endif %}", "an example cannot be told from a block"),
    ],
)
def test_what_has_no_one_reading_is_refused(said: str, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"^here: .*{reason}"):
        inputs_of(said, Template(text), PAIR, "here")


def test_a_number_that_would_be_written_otherwise_is_refused() -> None:
    with pytest.raises(InputError, match="here: expected 'n 7', as this row is written here"):
        inputs_of("n 007", Template("n {{ a }}"), Signature.parse("a: int -> b"), "here")
