"""Counting calls: equal requests once, never one too many, a failed one gives its place back."""

import asyncio

import pytest

from afina.errors import BudgetError, CallError
from afina.lm.lm import ask, gather
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM
from afina.program.counted import Counted, Purse


def requests(count: int) -> list[Request]:
    return [Request((Message("user", str(number)),)) for number in range(count)]


def test_equal_requests_are_sent_once_also_at_one_time() -> None:
    lm, purse = ScriptedLM(lambda request: "yes", name="m"), Purse(10)
    counted = Counted(lm, purse)
    replies = ask(counted, [*requests(3), *requests(3)])
    assert lm.calls == purse.usage.calls == 3
    assert [each.text for each in replies if isinstance(each, Reply)] == ["yes"] * 6
    ask(counted, requests(3))
    assert lm.calls == 3


@pytest.mark.parametrize("concurrency", [1, 8, 32])
def test_no_call_is_made_over_the_number(concurrency: int) -> None:
    lm, purse = ScriptedLM(lambda request: "yes", name="m"), Purse(7)
    with pytest.raises(BudgetError, match="7 calls planned"):
        asyncio.run(gather(Counted(lm, purse), requests(20), concurrency))
    assert lm.calls == 7
    assert (purse.left, purse.refused) == (0, True)


def test_two_models_share_a_purse() -> None:
    purse = Purse(5)
    one, other = (Counted(ScriptedLM(lambda _: "a", name=name), purse) for name in "ab")
    ask(one, requests(3))
    ask(other, requests(2))
    with pytest.raises(BudgetError):
        ask(other, requests(4))


def test_a_failed_call_gives_its_place_back_and_is_asked_again() -> None:
    said: list[str] = []

    def answer(request: Request) -> str:
        said.append(request.messages[0].content)
        if len(said) == 1:
            raise CallError("not now")
        return "yes"

    purse = Purse(1)
    counted = Counted(ScriptedLM(answer, name="m"), purse)
    (first,) = ask(counted, requests(1))
    assert isinstance(first, Missing)
    (again,) = ask(counted, requests(1))
    assert isinstance(again, Reply)
    assert (purse.usage.calls, purse.under_way) == (1, 0)
