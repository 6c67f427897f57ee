"""Chat prompts as promptfoo has them."""

import pytest

from afina.errors import InputError
from afina.hard.interchange.promptfoo import read_promptfoo, write_promptfoo

CHAT = """
- role: system
  content: Say {"a" as it is}.
- role: user
  content: |
    A: {{ a }}
    {{ "{%" }}
"""


def test_yaml_json_and_the_only_prompt_of_a_configuration_are_read() -> None:
    found = read_promptfoo(CHAT, "p.yaml")
    assert [(each.role, each.template.text) for each in found.lines] == [
        ("system", 'Say {"a" as it is}.'),
        ("user", 'A: {{ a }}\n{{ "{%" }}\n'),
    ]
    assert read_promptfoo(write_promptfoo(found), "p.json") == found
    inner = 'prompts:\n  - \'[{"role": "user", "content": "{{ a }}"}]\'\nproviders: [x]\n'
    assert read_promptfoo(inner, "p.yaml").lines == read_promptfoo("prompts: ['{{ a }}']", "").lines


def test_control_characters_come_back() -> None:
    """Broken by reading JSON as YAML, which refuses them."""
    text = '[{"role": "user", "content": "{{ a }}\x7f\x9b\u2028"}]'
    assert read_promptfoo(text, "p.json").lines[0].template.text == "{{ a }}\x7f\x9b\u2028"
    assert read_promptfoo(write_promptfoo(read_promptfoo(text, "")), "") == read_promptfoo(text, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a: [", "^p.yaml: expected YAML, came an error"),
        ("!!python/object/apply:os.system ['id']", "^p.yaml: expected YAML, came an error"),
        ("- role: user\n  content: 3", r"^p.yaml, messages\[0\]: expected a role"),
        ("prompts: [a, b]", "^p.yaml, prompts: expected one prompt, came 2"),
        ("prompts: x", "^p.yaml, prompts: expected a list of one text, came str"),
        ("prompts: ['file://x.txt']", "expected the prompt itself, came 'file://x.txt'"),
        ("- role: user\n  content: '{{ a | dump }}'", r"^p.yaml, messages\[0\], line 1: .*filters"),
        ("- role: user\n  content: '{{ null }}'", r"^p.yaml, messages\[0\], .*a value in nunjucks"),
        ("&a [*a]", "^p.yaml: |^p.yaml, messages"),
        ("2020-99-99", "^p.yaml: expected YAML of turns, came ValueError"),
        ("", "^p.yaml: expected a list of messages"),
    ],
)
def test_what_is_no_chat_prompt_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_promptfoo(text, "p.yaml")
