"""A prompt as turns says what the prompt says, and turns become a prompt or are refused."""

import pytest

from afina.errors import InputError
from afina.hard.interchange.transcript import Line, Transcript, prompt_of, transcript_of
from afina.hard.prompt import Prompt
from afina.hard.template import Template
from afina.lm.request import Role
from afina.task.example import Example
from afina.task.signature import Signature

MOODS = Signature.parse("review -> mood: good | bad", "Tell the mood as {x} {{ y }}.")
SHOWN = (
    Example.of({"review": "{{7*7}}"}, {"mood": "good"}),
    Example.of({"review": "a\nmood: bad"}, {"mood": "bad"}),
)
ROW = {"review": "{{ instruction }} {% if %} {0}"}


def turns(*pairs: tuple[Role, str]) -> Transcript:
    return Transcript(
        tuple(Line(role, Template(text), f"turn {at}") for at, (role, text) in enumerate(pairs))
    )


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt.of(MOODS),
        Prompt.of(MOODS, SHOWN),
        Prompt.of(
            Signature.parse("a, b: int -> c: int"), (Example.of({"a": "x", "b": 3}, {"c": 4}),)
        ),
        Prompt(MOODS, Template("About {{ review }}: {{ form }}"), Template("{{ review }}?")),
        Prompt(MOODS, Template(""), Template("{% if review %}{{ review }}{% endif %}!")),
        Prompt.of(
            Signature.parse("a -> why, b"), (Example.of({"a": "q"}, {"why": "since", "b": "r"}),)
        ),
    ],
)
def test_turns_say_what_the_prompt_says_and_become_it_again(prompt: Prompt) -> None:
    row = {"review": ROW["review"], "a": "{{ b }}", "b": 7}
    transcript = transcript_of(prompt)
    assert transcript.messages(row) == prompt.messages(row)
    again = prompt_of(transcript, prompt.signature)
    assert again.messages(row) == prompt.messages(row)
    assert [dict(each.outputs) for each in again.demonstrations] == [
        dict(each.outputs) for each in prompt.demonstrations
    ]


def test_a_system_part_that_says_nothing_is_left_out() -> None:
    """As the prompt itself leaves it out."""
    prompt = Prompt(MOODS, Template("{{ review }}"), Template("Q: {{ review }}"))
    for text in ("", "x"):
        found = transcript_of(prompt).messages({"review": text})
        assert found == prompt.messages({"review": text})
        assert len(found) == 1 + bool(text)


def test_a_system_part_without_fields_becomes_the_instruction() -> None:
    """Broken by a template that no optimiser could change."""
    found = prompt_of(turns(("system", "Be {brief}."), ("user", "{{ review }}")), MOODS)
    assert found.signature.instruction == "Be {brief}."
    assert found.system.names == ("instruction",)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "the prompt: expected a turn of the user last"),
        ([("system", "x")], "the prompt: expected a turn of the user last"),
        ([("assistant", "{{ review }}")], "turn 0: expected a turn of the user, came one of the a"),
        ([("user", "x"), ("system", "y")], "turn 1: expected a turn of the assistant"),
        (
            [("user", "x"), ("assistant", "good")],
            "turn 1: expected a turn of the user l",
        ),
        ([("user", "x")], "turn 0: expected one of the inputs of review -> mood: good | bad, came"),
        ([("user", "{{ text }}")], "turn 0: expected the inputs of .*, came the field 'text'"),
        (
            [("system", "{{ instruction }}"), ("user", "{{ review }}")],
            "turn 0: expected the inputs of .*, came the field 'instruction'",
        ),
        (
            [("user", "{{ review }}"), ("assistant", "good"), ("user", "{{ review }}")],
            "turn 0: expected an example's text, came the field 'review'",
        ),
        (
            [("user", "r: x"), ("assistant", "so so"), ("user", "r: {{ review }}")],
            "turn 1: expected an answer, came 'so so'",
        ),
        (
            [("user", "r: x"), ("assistant", "Mood: good"), ("user", "r: {{ review }}")],
            "turn 1: expected 'good', as examples are written here, came 'Mood: good'",
        ),
        (
            [("user", "s: x"), ("assistant", "good"), ("user", "r: {{ review }}")],
            "turn 0: expected a text as the last turn has it, came 's: x'",
        ),
    ],
)
def test_turns_that_are_no_prompt_are_refused_with_their_place(
    lines: list[tuple[Role, str]], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        prompt_of(turns(*lines), MOODS)
