"""A template as texts and fields, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import InputError
from afina.hard.interchange.pieces import Slot, filled, joined, pieces_of, template_of
from afina.hard.template import Template

TEXTS = st.text(alphabet="{}%#<>&x\"' \n", max_size=8)
SLOTS = st.sampled_from([Slot("a"), Slot("b"), Slot("a", html=True)])
PIECES = st.lists(TEXTS | SLOTS, max_size=6).map(joined)


@given(PIECES)
@settings(max_examples=200, deadline=None)
def test_pieces_are_a_template_and_the_template_is_the_pieces(pieces: tuple[str | Slot]) -> None:
    template = template_of(pieces)
    assert pieces_of(template) == pieces
    values = {"a": "<&\">'{{ b }}", "b": "x"}
    said = filled(pieces, values)
    assert template.render(values) == "".join(map(str, said))


def test_blocks_on_what_is_known_are_texts() -> None:
    template = Template("{% if a == 'x' %}yes{% else %}no{% endif %} {{ b }}")
    assert pieces_of(template, {"a": "x"}) == ("yes ", Slot("b"))
    assert pieces_of(template, {"a": "y"}) == ("no ", Slot("b"))


@pytest.mark.parametrize(
    "text", ["{% if b %}x{% endif %}", "{% for c in b %}{{ c }}{% endfor %}{{ b }}"]
)
def test_a_block_on_a_field_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="came a block on 'b'"):
        pieces_of(Template(text), {"a": "x"})
