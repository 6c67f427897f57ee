"""A program runs its examples at once: the same traces however many, and what ends a run."""

import asyncio
import gc
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import BudgetError, CallError, InputError, UnreadableError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.program.program import Program
from afina.program.running import running, traces_of
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Signature
from tests.program.small import PROGRAM, TELL, WHOLE, answer, flow, scripted

ROWS = [{"text": f"{'fine' if at % 3 else 'dull'} words {at} and more"} for at in range(50)]


def test_a_trace_tells_what_was_asked_and_what_came_out() -> None:
    (trace,) = traces_of(PROGRAM, [{"text": "a fine day in May"}], scripted())
    first, second = trace.turns
    assert (first.prompt, first.inputs) == ("shorten", {"text": "a fine day in May"})
    assert (first.text, first.outputs) == ("a fine day", {"summary": "a fine day"})
    assert second.inputs == {"summary": "a fine day"}
    assert trace.outputs == second.outputs == {"mood": "good"}
    assert (trace.reason, trace.fault) == ("", "")
    assert trace.usage == first.usage + second.usage
    assert trace.usage.calls == 2
    assert trace.of("tell") == (second,)


@pytest.mark.parametrize("concurrency", [1, 8, 32])
def test_traces_are_the_same_however_many_run_at_once(concurrency: int) -> None:
    lm = scripted()
    settings = CallSettings(concurrency=concurrency)
    traces = traces_of(PROGRAM, ROWS, lm, settings)
    assert [trace.outputs for trace in traces] == [
        {"mood": "good" if at % 3 else "bad"} for at in range(50)
    ]
    alone = [traces_of(PROGRAM, [row], scripted())[0] for row in ROWS]
    assert [trace.to_json() for trace in traces] == [trace.to_json() for trace in alone]
    assert lm.calls == 100


class Counting(ScriptedLM):
    """Counts the calls under way; none ends until as many are as may be, and a moment longer."""

    def __init__(self, wanted: int) -> None:
        super().__init__(answer, name="counting")
        self.wanted, self.now, self.most_at_once = wanted, 0, 0
        self.full: asyncio.Event | None = None

    async def answer(self, request: Request) -> Reply:
        self.full = self.full or asyncio.Event()
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        if self.now == self.wanted:
            asyncio.get_running_loop().call_later(0.05, self.full.set)
        await self.full.wait()
        self.now -= 1
        return await super().answer(request)


def test_as_many_are_asked_at_once_as_may_be_and_no_more() -> None:
    lm = Counting(4)
    assert len(traces_of(PROGRAM, ROWS[:12], lm, CallSettings(concurrency=4))) == 12
    assert lm.most_at_once == 4


def test_samples_of_one_row_are_asked_at_once_within_the_same_bound() -> None:
    def many(steps: Steps, values: Values) -> Values:
        found = steps.sample("shorten", values, count=6)
        assert len(found) == 6
        return {"mood": "good"}

    lm = Counting(3)
    program = replace(PROGRAM, flow=many)
    (trace,) = traces_of(program, ROWS[:1], lm, CallSettings(concurrency=3))
    assert lm.most_at_once == 3
    assert [turn.repeat for turn in trace.turns] == [0, 1, 2, 3, 4, 5]
    assert {request.repeat for request in lm.asked} == set(range(6))


def test_a_call_that_failed_is_missing_and_ends_its_row_alone() -> None:
    def fail(request: Request) -> str:
        if "dull" in request.messages[-1].content:
            raise CallError("the endpoint is down", attempts=3)
        return answer(request)

    one, two = traces_of(PROGRAM, ROWS[:2], ScriptedLM(fail))
    assert (one.outputs, one.reason, one.fault) == (None, "the endpoint is down", "call")
    assert [turn.text for turn in one.turns] == [None]
    assert one.usage.calls == 3
    assert two.outputs == {"mood": "good"}


def test_a_reply_that_cannot_be_read_is_missing_unless_the_flow_catches_it() -> None:
    lm = ScriptedLM(lambda request: "well" if request.messages[-1].content[0] == "s" else "x")
    (trace,) = traces_of(PROGRAM, ROWS[:1], lm)
    assert (trace.outputs, trace.fault) == (None, "reply")
    assert "'tell' cannot be read, no label: it names none: 'well'" in trace.reason
    assert trace.turns[-1].text == "well"

    def careful(steps: Steps, values: Values) -> Values:
        try:
            return flow(steps, values)
        except UnreadableError:
            return {"mood": "bad"}

    (trace,) = traces_of(replace(PROGRAM, flow=careful), ROWS[:1], lm)
    assert (trace.outputs, trace.fault) == ({"mood": "bad"}, "")


def test_a_budget_that_is_spent_ends_all_and_sends_nothing_more(tmp_path: Path) -> None:
    lm = scripted()
    capped = Journaled(lm, Journal(tmp_path / "j.sqlite"), Budget(calls=7), run="a")
    with pytest.raises(BudgetError, match="at most 7 calls"):
        traces_of(PROGRAM, ROWS, capped, CallSettings(concurrency=8))
    assert lm.calls == 7
    more = Journaled(lm, Journal(tmp_path / "j.sqlite"), Budget(calls=100), run="a")
    whole = traces_of(PROGRAM, ROWS, more)
    assert lm.calls == 100
    assert all(trace.outputs for trace in whole)


def test_a_bug_in_a_flow_keeps_its_traceback_and_ends_the_others() -> None:
    def wrong(steps: Steps, values: Values) -> Values:
        steps("shorten", text=values["text"])
        return {"mood": str(1 / 0)}

    lm = scripted()
    with pytest.raises(ZeroDivisionError):
        traces_of(replace(PROGRAM, flow=wrong), ROWS, lm, CallSettings(concurrency=3))
    assert lm.calls < len(ROWS)


def test_what_waits_to_be_sent_when_a_run_ends_is_not_sent() -> None:
    sent = threading.Event()

    class Slow(ScriptedLM):
        async def answer(self, request: Request) -> Reply:
            reply = await super().answer(request)
            if self.calls == 2:
                sent.set()
            await asyncio.sleep(0.1)  # the other flow ends meanwhile
            return reply

    def uneven(steps: Steps, values: Values) -> Values:
        if values["text"] == "wrong":
            sent.wait()
            raise ZeroDivisionError
        steps.sample("shorten", values, count=6)
        return {"mood": "good"}

    lm, rows = Slow(lambda request: "x"), [{"text": "wrong"}, {"text": "right"}]
    with pytest.raises(ZeroDivisionError):
        traces_of(replace(PROGRAM, flow=uneven), rows, lm, CallSettings(concurrency=2))
    assert lm.calls == 2


def test_a_run_that_is_cancelled_lets_its_threads_go() -> None:
    begun = threading.Event()

    class Stuck(ScriptedLM):
        async def answer(self, request: Request) -> Reply:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

    told: list[object] = []

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, fault: told.append(fault))
        lm = Stuck({}, name="stuck")
        work = asyncio.create_task(running(PROGRAM, ROWS, lm, CallSettings(concurrency=2), {}))
        await asyncio.to_thread(begun.wait)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        del work
        gc.collect()

    before = threading.active_count()
    asyncio.run(whole())
    assert threading.active_count() == before
    assert told == []


def test_rows_and_flows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="one with review: it lacks 'text'"):
        traces_of(PROGRAM, [{"review": "x"}], scripted())
    for returned, came in (({"tone": "good"}, "tone"), (None, "None"), ({}, "nothing")):
        program = replace(PROGRAM, flow=lambda steps, values, found=returned: found)  # type: ignore[misc]
        with pytest.raises(InputError, match=f"'summary first' to return mood, came {came};"):
            traces_of(program, ROWS[:1], scripted())
    program = replace(PROGRAM, flow=lambda steps, values: steps("tell", text="x"))
    with pytest.raises(InputError, match="'tell' expected the input 'summary', came text"):
        traces_of(program, ROWS[:1], scripted())
    assert traces_of(PROGRAM, [], scripted()) == []


def test_words_stand_for_labels_in_the_prompt_that_tells_them_and_nowhere_else() -> None:
    lm = ScriptedLM(lambda request: "great" if request.labels else "x")
    (trace,) = traces_of(PROGRAM, ROWS[:1], lm, words={"good": "great", "bad": "awful"})
    assert trace.outputs == {"mood": "good"}
    assert lm.asked[1].labels == ("great", "awful")
    assert lm.asked[0].labels == ()


def test_a_prompt_with_the_same_labels_for_another_output_keeps_them() -> None:
    guess = Prompt.of(Signature.parse("text -> summary: good | bad"))
    lm = ScriptedLM(lambda request: request.labels[0])
    program = Program("p", WHOLE, {"tell": TELL, "shorten": guess}, flow)
    traces_of(program, ROWS[:1], lm, words={"good": "great"})
    assert [request.labels for request in lm.asked] == [("good", "bad"), ("great", "bad")]
