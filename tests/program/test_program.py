"""A program is named prompts and a flow; its prompts change one by one, and survive as JSON."""

import json
from dataclasses import replace

import pytest

from afina.errors import ArtefactError, InputError, MismatchError
from afina.hard.prompt import Prompt
from afina.program.program import Program, joined
from afina.program.running import traces_of
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Signature
from tests.program.small import PROGRAM, SHORTEN, TELL, WHOLE, flow, scripted


def test_another_prompt_takes_one_place_and_leaves_the_others() -> None:
    said = replace(TELL, signature=replace(TELL.signature, instruction="Say how it feels."))
    other = PROGRAM.with_prompt("tell", said)
    assert other.prompts == {"shorten": SHORTEN, "tell": said}
    assert PROGRAM.prompts["tell"] is TELL
    assert other.digest != PROGRAM.digest


def test_a_prompt_of_another_name_or_with_other_fields_is_refused() -> None:
    with pytest.raises(InputError, match="a prompt out of shorten, tell, got 'say'"):
        PROGRAM.with_prompt("say", TELL)
    with pytest.raises(MismatchError, match="text, summary as 'shorten', got one with text, gist"):
        PROGRAM.with_prompt("shorten", Prompt.of(Signature.parse("text -> gist")))
    with pytest.raises(InputError, match="letters, digits and _, got 'two words'"):
        Program("p", WHOLE, {"two words": TELL}, flow)


def test_writing_and_reading_change_nothing() -> None:
    text = json.dumps(PROGRAM.to_json())
    again = Program.from_json(json.loads(text), flow)
    assert again == PROGRAM
    assert again.digest == PROGRAM.digest
    assert list(again.prompts) == list(PROGRAM.prompts)


@pytest.mark.parametrize("left_out", ["name", "signature", "built", "prompts"])
def test_a_damaged_program_is_refused(left_out: str) -> None:
    data = PROGRAM.to_json()
    del data[left_out]
    with pytest.raises(ArtefactError, match="expected a program as JSON"):
        Program.from_json(data, flow)


def test_programs_are_steps_of_a_program_under_their_names() -> None:
    def twice(steps: Steps, values: Values) -> Values:
        first = steps("mood", text=values["text"])
        steps("shorten", text=values["text"])
        return first

    whole = joined("twice", WHOLE, {"mood": PROGRAM, "shorten": SHORTEN}, twice)
    assert list(whole.prompts) == ["mood.shorten", "mood.tell", "shorten"]
    nested = joined("thrice", WHOLE, {"all": whole}, lambda steps, values: steps("all", **values))
    row = {"text": "so fine a day it was"}
    (one,), (two,) = (traces_of(each, [row], scripted()) for each in (whole, nested))
    assert one.outputs == two.outputs == {"mood": "good"}
    assert [turn.prompt for turn in one.turns] == ["mood.shorten", "mood.tell", "shorten"]
    assert [turn.prompt for turn in two.turns] == [f"all.{turn.prompt}" for turn in one.turns]


def test_a_part_sees_its_own_steps_only() -> None:
    def reach(steps: Steps, values: Values) -> Values:
        return steps("shorten", text=values["text"])

    inner = Program("inner", WHOLE, {"tell": TELL}, reach)
    whole = joined(
        "outer",
        WHOLE,
        {"part": inner, "shorten": SHORTEN},
        lambda steps, values: steps("part", **values),
    )
    with pytest.raises(InputError, match="expected a step out of tell, got 'shorten'"):
        traces_of(whole, [{"text": "x"}], scripted())
