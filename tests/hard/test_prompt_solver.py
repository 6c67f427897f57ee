"""A prompt on a language model: each row one call, what cannot be read is missing."""

import json
from dataclasses import replace

import pytest

from afina.errors import CallError
from afina.evaluation.evaluate import evaluate
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.lm.lm import ask
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.solver import Solver
from afina.task.example import Example
from afina.task.metrics import METRICS
from afina.task.signature import Signature

SIGNATURE = Signature.parse("review -> mood: good | bad", instruction="Tell the mood.")
SHOWN = (Example.of({"review": "Loved it."}, {"mood": "good"}),)


def solver(lm: ScriptedLM, **changes: object) -> PromptSolver:
    made = PromptSolver(Prompt.of(SIGNATURE, SHOWN), lm, "scripted:test")
    return replace(made, **changes)  # type: ignore[arg-type]  # a test's keywords


def by_word(request: Request) -> str:
    text = request.messages[-1].content
    return "good" if "fine" in text else "**Bad.**" if "dull" in text else "hard to say"


def test_each_row_is_asked_once_and_read() -> None:
    lm = ScriptedLM(by_word)
    made = solver(lm)
    assert isinstance(made, Solver)
    fine, dull, unclear = made([{"review": text} for text in ("so fine", "dull", "well")])
    assert fine.outputs == {"mood": "good"}
    assert dull.outputs == {"mood": "bad"}
    assert dull.evidence["repairs"]
    assert unclear.outputs is None
    assert unclear.reason
    assert lm.calls == 3
    assert fine.usage.calls == 1
    assert fine.usage.tokens > 5


def test_the_request_holds_the_prompt_the_labels_and_the_settings() -> None:
    lm = ScriptedLM(by_word)
    solver(lm, settings=CallSettings(temperature=0.5, max_tokens=7))([{"review": "fine"}])
    (request,) = lm.asked
    assert [message.role for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert request.messages[0].content.startswith("Tell the mood.")
    assert request.labels == ("good", "bad")
    assert (request.temperature, request.max_tokens) == (0.5, 7)


def test_words_stand_for_labels_in_the_prompt_and_come_back_as_labels() -> None:
    lm = ScriptedLM(lambda request: "great")
    made = solver(lm, words={"good": "great", "bad": "awful"})
    (found,) = made([{"review": "x"}])
    assert found.outputs == {"mood": "good"}
    assert lm.asked[0].labels == ("great", "awful")
    assert lm.asked[0].messages[2].content == "great"


def test_a_call_that_failed_is_missing_and_no_score_of_zero() -> None:
    def answer(request: Request) -> str:
        if "out" in request.messages[-1].content:
            raise CallError("the endpoint is down", attempts=3)
        return "good"

    rows = [Example.of({"review": text}, {"mood": "good"}) for text in ("in", "out")]
    report = evaluate(solver(ScriptedLM(answer)), rows, METRICS["accuracy"], field="mood")
    assert (report.score, report.n, report.missing) == (1.0, 2, 1)
    failed = report.rows[1].prediction
    assert failed.reason == "the endpoint is down"
    assert failed.usage.calls == 3


def test_several_outputs_are_read_from_their_lines() -> None:
    signature = Signature.parse("question -> reasoning, answer: int")
    lm = ScriptedLM(lambda request: "reasoning: two and two\nanswer: 4")
    made = PromptSolver(Prompt.of(signature), lm, "scripted:test")
    (found,) = made([{"question": "2+2?"}])
    assert found.outputs == {"reasoning": "two and two", "answer": 4}
    assert lm.asked[0].labels == ()


def test_what_is_packed_is_the_prompt_as_plain_json() -> None:
    made = solver(ScriptedLM(by_word), words={"good": "great"})
    packed = made.pack()
    assert packed.kind == "prompt"
    assert not packed.arrays
    again = json.loads(json.dumps(packed.settings))
    assert Prompt.from_json(again["prompt"]) == made.prompt
    assert again["words"] == {"good": "great"}
    assert CallSettings(**again["calls"]) == made.settings


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_answers_do_not_depend_on_how_many_are_asked_at_once(concurrency: int) -> None:
    rows = [{"review": f"{'fine' if at % 3 else 'dull'} {at}"} for at in range(30)]
    lm = ScriptedLM(by_word)
    found = solver(lm, settings=CallSettings(concurrency=concurrency))(rows)
    assert [each.outputs for each in found] == [
        {"mood": "good" if at % 3 else "bad"} for at in range(30)
    ]
    assert len(ask(lm, lm.asked[:2])) == 2
