"""A talk: the system part stays first, each turn is heard, a user prompt can be overridden."""

from dataclasses import replace

import pytest

from afina.errors import CallError, InputError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.hard.selection import FewShotSettings, Selection
from afina.hard.talk import talk
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.retrieval.embedding import Embedding
from afina.task.example import Example
from afina.task.signature import Signature
from afina.yardsticks.majority import Majority

SIGNATURE = Signature.parse("question -> answer", instruction="Be brief.")


def solver(lm: ScriptedLM, *parts: str, signature: Signature = SIGNATURE) -> PromptSolver:
    return PromptSolver(Prompt.of(signature, open=parts), lm, "scripted:test")


def count(request: Request) -> str:
    return f"{len(request.messages)} messages"


def test_the_system_part_stays_first_through_all_turns() -> None:
    lm = ScriptedLM(count)
    said = list(talk(solver(lm), ["Who?", "", "Why?", "When?"]))
    assert said == ["2 messages", "4 messages", "6 messages"]
    for request in lm.asked:
        assert request.messages[0].content == "Be brief."
        assert [each.role for each in request.messages].count("system") == 1
    assert [each.content for each in lm.asked[-1].messages[1:]] == [
        "Who?",
        "2 messages",
        "Why?",
        "4 messages",
        "When?",
    ]


def test_a_user_prompt_overrides_the_one_before_where_it_is_open() -> None:
    lm = ScriptedLM(count)
    lines = ["Who?", "/user In French: {{ question }}", "Why?"]
    list(talk(solver(lm, "user"), lines))
    assert lm.asked[1].messages[-1].content == "In French: Why?"
    assert lm.asked[1].messages[1].content == "Who?"
    with pytest.raises(InputError, match="locked"):
        list(talk(solver(lm), lines))


def test_a_template_of_several_inputs_cannot_be_filled_by_a_line() -> None:
    two = Signature.parse("context, question -> answer")
    lines = ["/user {{ context }} {{ question }}", "Why?"]
    with pytest.raises(InputError, match="one input to fill, got context, question"):
        list(talk(solver(ScriptedLM(count), "user", signature=two), lines))


def choosing(lm: ScriptedLM, signature: Signature = SIGNATURE) -> PromptSolver:
    """Examples that share words with the row."""
    inputs = [field.name for field in signature.inputs]
    pool = [
        Example.of(dict.fromkeys(inputs, f"about {word}"), {"answer": word.upper()})
        for word in ("bread", "the sea", "clouds")
    ]
    settings = FewShotSettings(shots=1, select="overlap")
    selection = Selection.of(signature, pool, settings, seed=0, load=refuse)
    return replace(solver(lm, signature=signature), selection=selection)


def refuse(name: str) -> Embedding:
    raise AssertionError(name)


def test_the_first_line_chooses_the_examples_of_the_whole_talk() -> None:
    lm = ScriptedLM(count)
    list(talk(choosing(lm), ["What is the sea?", "And bread?"]))
    for request, turns in zip(lm.asked, (1, 3), strict=True):
        system, *shown = request.messages
        assert system.content == "Be brief."
        assert [each.role for each in shown] == ["user", "assistant"] * (turns // 2 + 1) + ["user"]
        assert "about the sea" in shown[0].content
        assert shown[1].content == "THE SEA"
        assert shown[2].content == "What is the sea?"


def test_no_line_can_choose_the_examples_of_several_inputs() -> None:
    lm, two = ScriptedLM(count), Signature.parse("context, question -> answer")
    with pytest.raises(InputError, match=r"context, question; tune it with select=balanced"):
        list(talk(choosing(lm, two), ["Why?"]))
    assert lm.calls == 0


def test_a_call_that_fails_ends_the_talk_with_its_reason() -> None:
    with pytest.raises(CallError, match="expected at most 1 calls"):
        list(talk(solver(ScriptedLM(["yes"])), ["a", "b"]))


def test_a_solver_without_a_prompt_has_nothing_to_say() -> None:
    with pytest.raises(InputError, match="written prompt"):
        list(talk(Majority("answer", "x"), ["a"]))
