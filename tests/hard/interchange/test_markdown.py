"""Markdown: written by hand, or to the byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import InputError
from afina.hard.interchange.markdown import read_markdown, write_markdown
from afina.hard.interchange.transcript import Line, Transcript
from afina.hard.template import Template

BY_HAND = """
# System

Tell the mood.

## How
- Be brief.

```
# user
```

# User
Review: {{ review }}

"""


def test_a_file_written_by_hand_is_read() -> None:
    """A lower heading and a heading inside a fence are text."""
    found = read_markdown(BY_HAND, "p.md")
    assert [(each.role, each.template.text, each.place) for each in found.lines] == [
        ("system", "Tell the mood.\n\n## How\n- Be brief.\n\n```\n# user\n```", "p.md:2"),
        ("user", "Review: {{ review }}", "p.md:13"),
    ]
    assert read_markdown(BY_HAND.lstrip().replace("\n", "\r\n"), "p.md") == found


@given(st.lists(st.text(alphabet="`#{} \n\r\tauser", max_size=30), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_again_to_the_byte(texts: list[str]) -> None:
    turns = Transcript(tuple(Line("user", Template.verbatim(each)) for each in texts))
    assert read_markdown(write_markdown(turns), "p.md") == turns


@pytest.mark.parametrize("text", ["```\nx\n```", "a\n```\nb", "`````", "```", "# user\n```\n"])
def test_backticks_in_a_text_close_nothing(text: str) -> None:
    turns = Transcript((Line("user", Template(text)), Line("assistant", Template("y"))))
    assert read_markdown(write_markdown(turns), "p.md") == turns


def test_blocks_are_kept() -> None:
    turns = Transcript((Line("user", Template("{% if a %}\n{{ a }}\n{% endif %}\n")),))
    assert read_markdown(write_markdown(turns), "p.md") == turns


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Hello", "p.md:1: expected a heading out of # system, # user, # assistant, came 'Hello'"),
        ("# tool\nx", "p.md:1: expected a heading"),
        ("# user\n```\nx", "p.md:2: this fence is never closed"),
        ("# user\n\n{{ a.b }}", "p.md:1: below this heading, line 1: .*no attributes"),
    ],
)
def test_what_is_no_turn_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_markdown(text, "p.md")
