"""Marked fields say what DSPy's own chat says, byte for byte, and replies in them are read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from afina.errors import ArtefactError, InputError
from afina.hard.marked import reply, system
from afina.hard.prompt import Prompt
from afina.hard.reader import read_answer
from afina.program.dspy_signature import read_signature
from afina.program.dspy_state import read_state
from afina.program.predict import predict
from afina.task.example import Example
from afina.task.signature import Signature
from tests.program.dspy_cases import CASES

FILE = Path(__file__).parent.parent / "program" / "references" / "dspy_renderings.json"
REFERENCE: Any = json.loads(FILE.read_text())
SIGNATURE = Signature.parse("review -> mood: good | bad", "Tell the mood.")
SHOWN = (Example.of({"review": "Loved it."}, {"mood": "good"}),)
PROMPT = replace(Prompt.of(SIGNATURE, SHOWN), layout="marked")


def loaded(place: int) -> Prompt:
    """The prompt of a case, out of the state that DSPy wrote."""
    case: Any = CASES[place]
    state = {**REFERENCE["states"][place], "metadata": {}}
    program = predict(read_signature(case["signature"]))
    return read_state(json.dumps(state).encode(), program).prompts["answer"]


@pytest.mark.parametrize("place", range(len(CASES)))
def test_a_prompt_that_dspy_kept_renders_as_dspy_renders_it(place: int) -> None:
    case: Any = CASES[place]
    said = [vars(each) for each in loaded(place).messages(case["inputs"])]
    assert said == REFERENCE["renderings"][place]


@pytest.mark.parametrize("place", range(len(CASES)))
def test_writing_and_reading_change_nothing(place: int) -> None:
    prompt = loaded(place)
    again = Prompt.from_json(json.loads(json.dumps(prompt.to_json())))
    case: Any = CASES[place]
    assert again.messages(case["inputs"]) == prompt.messages(case["inputs"])
    assert again.digest == prompt.digest


def test_the_layout_is_part_of_what_a_prompt_is() -> None:
    lines = replace(PROMPT, layout="lines")
    assert lines.digest != PROMPT.digest
    assert "layout" not in lines.to_json()
    with pytest.raises(ArtefactError, match="the layout lines or marked, came 'wild'"):
        Prompt.from_json({**PROMPT.to_json(), "layout": "wild"})


def test_a_reply_in_the_layout_is_read_back() -> None:
    signature = Signature.parse("question -> reasoning, answer: int")
    outputs = {"reasoning": "two and two", "answer": 4}
    assert read_answer(reply(signature, outputs), signature).outputs == outputs
    assert read_answer("4[[ ## completed ## ]]", Signature.parse("q -> n: int")).outputs == {"n": 4}


def test_words_stand_for_labels_in_this_layout_too() -> None:
    worded = PROMPT.in_words({"good": "great"})
    said = "\n".join(each.content for each in worded.messages({"review": "x"}))
    assert "one of: great; bad" in said
    assert "[[ ## mood ## ]]\ngreat" in said


def test_a_model_without_turns_gets_the_same_texts_in_one() -> None:
    front, back = PROMPT.flat({"review": "x"})
    contents = [each.content for each in PROMPT.messages({"review": "x"})]
    assert front + back == "\n\n".join(contents)


def test_an_instruction_is_indented_as_a_whole() -> None:
    said = system(Signature.parse("a -> b", "  One.\n    Two."))
    assert said.endswith("objective is: \n        One.\n          Two.")


def test_what_the_layout_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="'tags: spans', which DSPy's layout does not have"):
        system(Signature.parse("words: list[str] -> tags: spans"))
    with pytest.raises(InputError, match="expected the input 'review', came text"):
        PROMPT.messages({"text": "x"})
