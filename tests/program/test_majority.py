"""The commonest of several draws stands; what cannot be read has no vote."""

import pytest

from afina.errors import CallError, InputError
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.program.comparison import multi_chain_comparison
from afina.program.majority import majority
from afina.program.predict import predict
from afina.program.running import traces_of
from afina.task.signature import Signature

INNER = predict(Signature.parse("review -> mood: good | bad"))
ROW = {"review": "x"}


@pytest.mark.parametrize(
    ("replies", "stands"),
    [
        (["bad", "good", "good"], "good"),
        (["bad", "good", "hm"], "bad"),  # a tie: the first
        (["hm", "hm", "good"], "good"),
    ],
)
def test_the_commonest_answer_stands(replies: list[str], stands: str) -> None:
    lm = ScriptedLM(replies)
    (trace,) = traces_of(majority(INNER, 3, 0.9), [ROW], lm)
    assert trace.outputs == {"mood": stands}
    assert [request.repeat for request in lm.asked] == [0, 1, 2]
    assert {request.temperature for request in lm.asked} == {0.9}


def test_where_no_draw_can_be_read_the_row_is_missing() -> None:
    (trace,) = traces_of(majority(INNER, 2), [ROW], ScriptedLM(["hm", "well"]))
    assert (trace.outputs, trace.fault) == (None, "reply")


def test_a_call_that_fails_is_no_vote_for_the_others() -> None:
    def answer(request: Request) -> str:
        if request.repeat == 1:
            raise CallError("down")
        return "good"

    (trace,) = traces_of(majority(INNER, 3), [ROW], ScriptedLM(answer))
    assert (trace.outputs, trace.fault) == (None, "call")


def test_draws_within_draws_are_all_answered_anew() -> None:
    lm = ScriptedLM(lambda request: "good")
    traces_of(majority(majority(INNER, 3), 4), [ROW], lm)
    assert len({request.repeat for request in lm.asked}) == lm.calls == 12
    lm = ScriptedLM(lambda request: "reasoning: so\nmood: good")
    chains = multi_chain_comparison(INNER.signature, 3)
    traces_of(majority(chains, 4), [ROW], lm)
    attempts = [each for each in lm.asked if "attempts:" not in each.messages[-1].content]
    assert len({request.repeat for request in attempts}) == len(attempts) == 12


def test_no_draw_is_refused() -> None:
    with pytest.raises(InputError, match="1 time or more, got 0"):
        majority(INNER, 0)
