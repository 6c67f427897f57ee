"""An answer found wanting is mended with the remark in view, and the best stands."""

import pytest

from afina.errors import InputError
from afina.lm.scripted import ScriptedLM
from afina.program.feedback import Feedback
from afina.program.predict import predict
from afina.program.refine import refine
from afina.program.running import traces_of
from afina.solver import Values
from afina.task.signature import Signature

INNER = predict(Signature.parse("topic -> poem", "Write."))
ROW = {"topic": "rain"}


def check(inputs: Values, outputs: Values) -> Feedback:
    poem = str(outputs["poem"])
    score = len(poem.split()) / 3
    return Feedback(min(score, 1.0), f"it has {len(poem.split())} words, not 3")


def test_the_remark_and_the_fenced_draft_are_shown() -> None:
    lm = ScriptedLM(["drip ```", "drip drip drop"])
    (trace,) = traces_of(refine(INNER, check), [ROW], lm)
    assert trace.outputs == {"poem": "drip drip drop"}
    assert [turn.prompt for turn in trace.turns] == ["run.answer", "mend"]
    said = lm.asked[1].messages[-1].content
    assert "topic: rain\ndraft: \n````\ndrip ```\n````\nremark: it has 2 words, not 3\n" in said
    assert lm.asked[1].messages[0].content.startswith("Write.\n\nMend the draft")


def test_it_ends_where_the_answer_is_good_enough_or_out_of_rounds() -> None:
    lm = ScriptedLM(["one two three"])
    assert traces_of(refine(INNER, check), [ROW], lm)[0].outputs == {"poem": "one two three"}
    lm = ScriptedLM(["one two", "one", "", "so"])
    (trace,) = traces_of(refine(INNER, check, rounds=1), [ROW], lm)
    assert trace.outputs == {"poem": "one two"}  # the best, not the last
    assert lm.calls == 2


def test_a_bare_score_is_told_as_a_number() -> None:
    lm = ScriptedLM(["a", "b"])
    traces_of(refine(INNER, lambda inputs, outputs: 0.25, rounds=1), [ROW], lm)
    assert "remark: it scores 0.25\n" in lm.asked[1].messages[-1].content


def test_a_signature_with_a_draft_of_its_own_is_refused() -> None:
    with pytest.raises(InputError, match="without a field 'draft'"):
        refine(predict(Signature.parse("draft -> poem")), check)
