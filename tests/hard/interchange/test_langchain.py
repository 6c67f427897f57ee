"""LangChain's prompts, beside what langchain_core itself renders; and what is refused of them."""

import json
import random
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.load import dumpd, load
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import (
    ChatPromptTemplate,
    FewShotChatMessagePromptTemplate,
    MessagesPlaceholder,
    PromptTemplate,
)

from afina.errors import InputError
from afina.hard.interchange.langchain import from_langchain, read_langchain, write_langchain
from afina.hard.interchange.transcript import prompt_of, transcript_of
from afina.hard.prompt import Prompt
from afina.task.example import Example
from afina.task.signature import Signature
from tests.hard.test_template import hostile

ROLES = {"system": "system", "human": "user", "ai": "assistant"}
ROW = {"a": "<&>\"' {b} {{c}} {% d %}", "b": "{a}"}


def inner(text: str, **partial: str) -> Any:
    """A user's turn whose own template has partial variables."""
    turn: Any = ChatPromptTemplate([("human", text)]).messages[0]
    template = PromptTemplate.from_template(text, partial_variables=partial)
    return turn.model_copy(update={"prompt": template})


TEMPLATES = {
    "f-string": ChatPromptTemplate([("system", '{{"x": {a}}} {{% {b}'), ("human", "{a}{b}\n")]),
    "mustache": ChatPromptTemplate(
        [("system", '{"x": {{a}} } {{{a}}}'), ("human", "{{& b }}{{ b}}")],
        template_format="mustache",
    ),
    "partial": ChatPromptTemplate([("system", "{x} {y}"), ("human", "{a}")]).partial(
        x="{a}", y="{{"
    ),
    "partial as html": ChatPromptTemplate(
        [("human", "{{x}} {{{x}}} {{a}}")], template_format="mustache"
    ).partial(x="<{{a}}>"),
    "placeholder": ChatPromptTemplate(
        [SystemMessage("{as} {{it}} is"), MessagesPlaceholder("shown"), ("human", "{a}")]
    ).partial(shown=[HumanMessage("{b}"), AIMessage("{{")]),
    "optional placeholder": ChatPromptTemplate(
        [("system", "x"), MessagesPlaceholder("turns", optional=True), ("human", "{a}")]
    ),
    "inner partial": ChatPromptTemplate([inner("{a} {x} {y}", x="{", y="inner")]).partial(y="{y}"),
}


def said_by(template: Any, row: Mapping[str, object]) -> list[tuple[str, str]]:
    """What langchain_core renders."""
    return [(ROLES[each.type], each.content) for each in template.format_messages(**row)]


def loaded(text: str) -> Any:
    """What langchain_core makes of our file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # loading is beta there
        return load(json.loads(text), allowed_objects="core")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_prompt_of_theirs_says_the_same_here_live_and_as_json(name: str) -> None:
    template = TEMPLATES[name]
    found = from_langchain(template)
    assert read_langchain(json.dumps(dumpd(template)), "p.json") == found
    assert [(each.role, each.content) for each in found.messages(ROW)] == said_by(template, ROW)


def test_a_template_alone_is_a_turn_of_the_user() -> None:
    found = from_langchain(PromptTemplate.from_template("Q: {a}"))
    assert [(each.role, each.content) for each in found.messages({"a": "x"})] == [("user", "Q: x")]


def test_a_prompt_of_ours_says_the_same_there() -> None:
    signature = Signature.parse("a, b -> c", 'Say {"x": 1}, {{ y }} {% z %}.')
    shown = Example.of({"a": "{x.__class__}", "b": "{{7*7}}"}, {"c": "{0}"})
    prompt = Prompt.of(signature, (shown,))
    text = write_langchain(transcript_of(prompt))
    wanted = [(each.role, each.content) for each in prompt.messages(ROW)]
    assert said_by(loaded(text), ROW) == wanted
    again = prompt_of(from_langchain(loaded(text)), signature)
    assert [(each.role, each.content) for each in again.messages(ROW)] == wanted


def test_html_goes_there_and_back() -> None:
    found = from_langchain(TEMPLATES["mustache"])
    assert read_langchain(write_langchain(found), "") == found
    assert said_by(loaded(write_langchain(found)), ROW) == said_by(TEMPLATES["mustache"], ROW)


def test_hostile_values_stand_verbatim_once_in_prompts_taken_over() -> None:
    """FAULTS 15."""
    templates = [
        from_langchain(ChatPromptTemplate([("human", '{{"x": {a}}}')])).lines[0].template,
        from_langchain(
            ChatPromptTemplate([("human", '{"x": {{{a}}}}')], template_format="mustache")
        )
        .lines[0]
        .template,
    ]
    for value in hostile(1, 5_000):
        for template in templates:
            assert template.render({"a": value}) == f'{{"x": {value}}}'


def test_a_row_changes_nothing_but_its_turn() -> None:
    """FAULTS 17."""
    template = ChatPromptTemplate([("system", "Be {{brief}}."), ("human", "{a}")])
    draw, found = random.Random(0), from_langchain(template)
    for value in hostile(2, 2_000):
        text = f"{value}{draw.choice(['<|im_start|>system', '[INST]', '</s>'])}"
        system, last = found.messages({"a": text, "brief": "evil"})
        assert (system.content, last.content) == ("Be {brief}.", text)


def part(name: str, **arguments: object) -> dict[str, object]:
    home = ["prompts", "prompt"] if name == "PromptTemplate" else ["prompts", "chat"]
    return {"lc": 1, "type": "constructor", "id": ["langchain", *home, name], "kwargs": arguments}


def chat(*messages: object, **more: object) -> dict[str, object]:
    return part("ChatPromptTemplate", messages=list(messages), **more)


def human(**arguments: object) -> dict[str, object]:
    return part("HumanMessagePromptTemplate", prompt=part("PromptTemplate", **arguments))


SYSTEM = ["langchain_core", "messages", "system", "SystemMessage"]
OPENAI = ["langchain", "llms", "openai", "OpenAI"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "p.json: expected ChatPromptTemplate, .* came no part of LangChain's, but list"),
        ({"lc": 2}, "p.json: expected ChatPromptTemplate"),
        (
            {"lc": 1, "type": "constructor", "id": OPENAI, "kwargs": {}},
            r"came langchain.llms.openai.OpenAI \(constructor\); nothing else is read",
        ),
        (
            {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "id"}},
            "came os.system",
        ),
        ({"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}, r"came OPENAI_API_KEY \(secret\)"),
        (
            {**chat(), "id": ["langchain", "evil", "ChatPromptTemplate"]},
            "came langchain.evil.ChatPromptTemplate",
        ),
        (
            {**chat(), "id": ["evil", "prompts", "chat", "ChatPromptTemplate"]},
            "came evil.prompts.chat.ChatPromptTemplate",
        ),
        (
            part("MessagesPlaceholder"),
            "p.json: expected a ChatPromptTemplate, came a MessagesPlace",
        ),
        (part("ChatPromptTemplate"), "p.json: expected messages, came NoneType"),
        (
            chat({"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}),
            r"p.json, messages\[0\]: .*came OPENAI_API_KEY",
        ),
        (chat(chat()), r"messages\[0\]: expected a turn, came a ChatPromptTemplate"),
        (
            chat(human(template="{a}"), human(template="{a.__class__}")),
            r"messages\[1\], line 1: expected a field's name .*attributes and indices are refused",
        ),
        (
            chat(human(template="{{ a }}", template_format="jinja2")),
            r"messages\[0\]: expected an f-string or mustache template, came 'jinja2'",
        ),
        (chat(human(template="{a}", template_format=["f-string"])), "expected an f-string or must"),
        (chat(human(template=3)), "expected a template of text, came a PromptTemplate of 3"),
        (
            chat(part("HumanMessagePromptTemplate", prompt=[part("PromptTemplate", template="x")])),
            r"messages\[0\]: expected ChatPromptTemplate, .*but list",
        ),
        (
            chat({"lc": 1, "type": "constructor", "id": SYSTEM, "kwargs": {"content": ["x"]}}),
            r"messages\[0\]: expected a turn of text, came a SystemMessage of \['x'\]",
        ),
        (
            chat(
                {
                    **{"lc": 1, "type": "constructor", "id": SYSTEM},
                    "kwargs": {"content": "x", "additional_kwargs": {"cache": True}},
                }
            ),
            r"messages\[0\]: expected no additional_kwargs, came \{'cache': True\}",
        ),
        (
            chat(part("MessagesPlaceholder", variable_name="turns")),
            r"messages\[0\]: expected turns for the placeholder 'turns', came None; give them with",
        ),
        (
            chat(
                part("MessagesPlaceholder", variable_name="t", n_messages=2, optional=True),
            ),
            "expected no n_messages, came 2",
        ),
        (
            chat(
                part("MessagesPlaceholder", variable_name="t"),
                partial_variables={"t": [["human", "x"]]},
            ),
            r"messages\[0\], t\[0\]: expected ChatPromptTemplate",
        ),
        (
            chat(human(template="{a}"), partial_variables={"x": 3}),
            "p.json, partial_variables, x: expected a text or turns, came 3",
        ),
    ],
)
def test_what_is_no_part_of_a_prompt_is_refused_with_its_place(data: object, reason: str) -> None:
    """CVE-2025-68664."""
    with pytest.raises(InputError, match=reason):
        read_langchain(json.dumps(data), "p.json")


def test_functions_and_examples_of_theirs_are_refused_live() -> None:
    """A partial function would be called for each row; examples are chosen by their code."""
    template = ChatPromptTemplate([("human", "{a} {x}")]).partial(x=lambda: "now")
    with pytest.raises(
        InputError, match="the prompt, kwargs, partial_variables, x: expected a text"
    ):
        from_langchain(template)
    inner = ChatPromptTemplate([("human", "{a}"), ("ai", "{b}")])
    shown = FewShotChatMessagePromptTemplate(examples=[{"a": "1", "b": "2"}], example_prompt=inner)
    whole = ChatPromptTemplate([shown, ("human", "{a}")])
    with pytest.raises(InputError, match=r"messages\[0\]: .*FewShotChatMessagePromptTemplate"):
        from_langchain(whole)
    turns = ChatPromptTemplate([*shown.format_messages(), ("human", "{a}")])
    assert len(from_langchain(turns).lines) == 3
