"""Tools are used in turn, told of when they fail, and bounded in number."""

import json

import pytest

from afina.errors import BudgetError, CallError, InputError
from afina.lm.scripted import ScriptedLM
from afina.program.react import react
from afina.program.running import traces_of
from afina.task.signature import Signature

SIGNATURE = Signature.parse("question -> answer", "Answer in a word.")
ROW = {"question": "How high is it?"}


def height(name: str) -> str:
    """Tell how high a tower is.

    In metres.
    """
    return {"Eiffel": "330 ``` finish"}[name]


def broken() -> str:
    raise OSError("no network")


def act(tool: str, **arguments: object) -> str:
    return f"thought: so\ntool: {tool}\narguments: {json.dumps(arguments)}"


def test_a_tool_is_used_and_what_it_returned_is_fenced() -> None:
    lm = ScriptedLM([act("height", name="Eiffel"), act("finish"), "330"])
    (trace,) = traces_of(react(SIGNATURE, [height]), [ROW], lm)
    assert trace.outputs == {"answer": "330"}
    assert [turn.prompt for turn in trace.turns] == ["act", "act", "answer"]
    seen = '\nthought 1: so\ntool 1: height {"name": "Eiffel"}\nseen 1:\n````\n330 ``` finish\n````'
    assert trace.turns[1].inputs["seen"] == trace.turns[2].inputs["seen"] == seen
    system = lm.asked[0].messages[0].content
    assert "- height(name: str): Tell how high a tower is.\n- finish" in system
    assert "tool: one of: height | finish" in system


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (act("broken"), "broken failed: OSError: no network"),
        (act("height", name="Big Ben"), "height failed: KeyError: 'Big Ben'"),
        (act("height", title="x"), "height failed: TypeError: height() got an unexpected"),
        ("thought: a\ntool: height\narguments: {", "height failed: expected a JSON object"),
        ("thought: a\ntool: height\narguments: [1]", "height failed: expected a JSON object"),
        ("thought: a\ntool: measure\narguments: {}", "no label: it names none"),
    ],
)
def test_what_fails_is_told_to_the_model_and_it_goes_on(reply: str, told: str) -> None:
    lm = ScriptedLM([reply, act("finish"), "unknown"])
    (trace,) = traces_of(react(SIGNATURE, [height, broken]), [ROW], lm)
    assert trace.outputs == {"answer": "unknown"}
    assert told in str(trace.turns[1].inputs["seen"])


def test_the_number_of_steps_is_bounded() -> None:
    lm = ScriptedLM(
        lambda request: act("broken") if "arguments" in request.messages[0].content else "no"
    )
    (trace,) = traces_of(react(SIGNATURE, [broken], steps=3), [ROW], lm)
    assert [turn.prompt for turn in trace.turns] == ["act"] * 3 + ["answer"]


def test_a_tool_that_asks_a_model_in_vain_is_an_outage_and_not_told() -> None:
    def ask() -> str:
        raise CallError("down")

    def pay() -> str:
        raise BudgetError("spent")

    lm = ScriptedLM([act("ask"), act("pay")])
    (trace,) = traces_of(react(SIGNATURE, [ask, pay]), [ROW], lm)
    assert (trace.outputs, trace.reason) == (None, "down")
    with pytest.raises(BudgetError):
        traces_of(react(SIGNATURE, [ask, pay]), [ROW], lm)


def test_tools_that_cannot_be_told_apart_are_refused() -> None:
    for tools in ([height, height], [lambda: "x"], []):
        with pytest.raises(InputError, match="expected"):
            react(SIGNATURE, tools)

    def finish() -> str:
        return ""

    with pytest.raises(InputError, match="other than 'finish', got 'finish'"):
        react(SIGNATURE, [finish])
    with pytest.raises(InputError, match="without a field 'seen'"):
        react(Signature.parse("seen -> answer"), [height])
