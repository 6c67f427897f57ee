import asyncio
from dataclasses import replace
from typing import Any

import pytest

from afina.errors import BudgetError, CallError, InputError
from afina.lm.lm import LM, ask, gather
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request


class Parrot:
    """Says the last turn again; knows how many calls were open at once and whether it is closed."""

    def __init__(self, refuse: Exception | None = None) -> None:
        self.identity = {"provider": "parrot"}
        self.refuse = refuse
        self.open = self.widest = self.closed = 0
        self.answered: list[str] = []

    def most(self, request: Request) -> Reply:
        return Reply("", read=1, written=request.max_tokens)

    async def answer(self, request: Request) -> Reply:
        self.open += 1
        self.widest = max(self.widest, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        text = request.messages[-1].content
        if text == "fail" and self.refuse is not None:
            raise self.refuse
        self.answered.append(text)
        return Reply(text)

    async def close(self) -> None:
        self.closed += 1


def said(text: str) -> Request:
    return Request((Message("user", text),))


def test_replies_come_in_the_order_of_the_requests() -> None:
    lm = Parrot()
    assert isinstance(lm, LM)
    texts = [str(number) for number in range(100)]
    replies = ask(lm, [said(text) for text in texts], concurrency=7)
    assert [each.text for each in replies if isinstance(each, Reply)] == texts
    assert lm.widest == 7
    assert lm.closed == 1


def test_a_call_that_fails_is_missing_and_stops_no_other() -> None:
    lm = Parrot(CallError("no answer", attempts=4))
    found = ask(lm, [said("a"), said("fail"), said("b")])
    assert found == [Reply("a"), Missing("no answer", 4), Reply("b")]


def test_a_spent_budget_is_told_after_what_was_sent_came_back() -> None:
    lm = Parrot(BudgetError("spent"))
    with pytest.raises(BudgetError, match="spent"):
        ask(lm, [said("a"), said("fail"), said("b")])
    assert lm.answered == ["a", "b"]


def test_ask_works_where_a_loop_already_runs() -> None:
    async def inside() -> list[Reply | Missing]:
        return ask(Parrot(), [said("a")])

    assert asyncio.run(inside()) == [Reply("a")]


def test_gather_leaves_the_model_open() -> None:
    lm = Parrot()
    asyncio.run(gather(lm, [said("a")]))
    assert lm.closed == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": float("nan")},
        {"temperature": -0.1},
        {"temperature": float("inf")},
        {"top_p": -0.1},
        {"top_p": 1.1},
        {"messages": ()},
    ],
)
def test_a_request_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        replace(said("a"), **changes)


def test_a_whole_number_is_the_same_setting() -> None:
    assert replace(said("a"), temperature=0, top_p=1).key({}) == said("a").key({})


def test_the_key_tells_contents_apart_and_not_the_order_of_the_identity() -> None:
    request, identity = said("a"), {"endpoint": "x", "name": "m"}
    key = request.key(identity)
    assert key == request.key({"name": "m", "endpoint": "x"})
    others = [
        said("b"),
        replace(request, temperature=0.5),
        replace(request, seed=0),
        replace(request, repeat=1),
        replace(request, labels=("a",)),
        replace(request, messages=(Message("system", "a"),)),
    ]
    keys = {key, request.key({**identity, "adapter": "d"}), *(o.key(identity) for o in others)}
    assert len(keys) == 2 + len(others)
