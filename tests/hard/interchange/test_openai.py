"""Messages as OpenAI has them."""

import json

import pytest

from afina.errors import InputError
from afina.hard.interchange.openai import read_openai, write_openai
from afina.hard.interchange.transcript import Line, Transcript
from afina.hard.template import Template

TURNS = [
    {"role": "developer", "content": 'Say {"a": 1}, {{ "{{" }}.'},
    {"role": "user", "content": [{"type": "text", "text": "{{ a }}"}]},
]


def test_a_list_and_an_object_of_messages_are_read() -> None:
    found = read_openai(json.dumps(TURNS), "p.json")
    assert [(each.role, each.template.text) for each in found.lines] == [
        ("system", 'Say {"a": 1}, {{ "{{" }}.'),
        ("user", "{{ a }}"),
    ]
    assert read_openai(json.dumps({"messages": TURNS}), "p.json") == found
    assert read_openai(write_openai(found), "p.json") == found


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "^p.json: expected JSON"),
        ("[NaN]", "^p.json: "),
        ('{"messages": [], "model": "m"}', "^p.json: expected a list of messages, or an object"),
        ('"text"', "^p.json: expected a list of messages"),
        (
            '[{"role": "tool", "content": "x"}]',
            r"^p.json, messages\[0\]: expected a role .* 'tool'",
        ),
        ('[{"role": "user"}]', "came 'user' with no content"),
        ('[{"role": "user", "content": "x", "name": "y"}]', "with content, name"),
        ('[{"role": "user", "content": [{"type": "image_url"}]}]', "'user' with content"),
        ('[{"role": "user", "content": null}]', "'user' with content"),
        ("[3]", r"messages\[0\]: .* came int"),
        ('[{"role": "user", "content": "a\\n{{ a.b }}"}]', r"messages\[0\], line 2: .*attributes"),
        ('[{"role": "user", "content": "{% if a %}x{% endif %}"}]', "came a block on 'a'"),
        ("[" * 100_000, "^p.json: expected JSON"),
    ],
)
def test_what_is_no_message_of_text_is_refused_with_its_place(data: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_openai(data, "p.json")


def test_a_field_as_html_is_not_written() -> None:
    with pytest.raises(InputError, match="came 'a' as html"):
        write_openai(Transcript((Line("user", Template("{{ a as html }}")),)))
