"""Each call is paid once, replayed as it was, and never over a budget."""

import asyncio
import json
import random
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from afina.errors import BudgetError, CallError, InputError, ModelError
from afina.lm.budget import NOTHING, PICO, Amount, Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import LM, ask, gather
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    kept = Journal(tmp_path / "journal.sqlite")
    yield kept
    kept.close()


def said(text: str, **settings: Any) -> Request:  # Any: fields of a request
    return Request((Message("user", text),), **settings)


def echo(request: Request) -> str:
    return f"{request.messages[-1].content} {request.repeat}"


def rows(journal: Journal, columns: str = "*") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(journal.path)) as connection:
        return connection.execute(f"SELECT {columns} FROM calls ORDER BY number").fetchall()


class Gated:
    """Answers, or fails, when its gate is opened; knows how many calls reached it."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.identity = {"provider": "gated"}
        self.failure = failure
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.calls = self.closed = 0

    def most(self, request: Request) -> Reply:
        return Reply("", read=1, written=request.max_tokens, cost=0.5)

    async def answer(self, request: Request) -> Reply:
        self.calls += 1
        self.reached.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Reply("open", read=1, written=1, cost=0.25, seconds=1.5)

    async def close(self) -> None:
        self.closed += 1


def finished(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, and complain if that does not come."""
    asyncio.run(asyncio.wait_for(work, 30))


# replay


def test_a_call_is_made_once_and_then_replayed_as_it_was(journal: Journal) -> None:
    async def work() -> None:
        inner = Gated()
        inner.gate.set()
        lm = Journaled(inner, journal)
        assert isinstance(lm, LM)
        first = await lm.answer(said("a"))
        assert first == Reply("open", read=1, written=1, cost=0.25, seconds=1.5)
        again = await lm.answer(said("a"))
        assert again == replace(first, replayed=True)
        await lm.close()
        anew = Journaled(inner, Journal(journal.path))
        assert await anew.answer(said("a")) == again
        assert inner.calls == 1
        await anew.close()
        assert inner.closed == 2

    finished(work())


def test_asking_again_and_again_opens_the_journal_once(journal: Journal) -> None:
    lm = Journaled(ScriptedLM(echo), journal)
    ask(lm, [said("a")])
    opened = journal.connection
    ask(lm, [said("b")])
    ask(lm, [said("a")])
    assert opened is not None
    assert journal.connection is opened
    assert [line.replays for line in Journal(journal.path).account()] == [1]


def test_a_reply_comes_back_whole_from_the_disk(journal: Journal) -> None:
    reply = Reply(
        'a "b"\n\x00 ção \U0001f600 \ud800',
        "length",
        read=0,
        written=2**40,
        cost=None,
        seconds=0.1,
        scores={"x": 0.1 + 0.2, "": 0.0},
        estimated=True,
    )

    class Fixed(Gated):
        async def answer(self, request: Request) -> Reply:
            return reply

    request = said("half a pair: \ud800")
    ask(Journaled(Fixed(), journal), [request])
    assert ask(Journaled(Gated(), Journal(journal.path)), [request]) == [
        replace(reply, replayed=True)
    ]


def test_falsy_settings_arrive_unchanged(journal: Journal) -> None:
    lm = ScriptedLM(lambda request: "x")
    request = said("", seed=0, temperature=0.0, top_p=0.0, max_tokens=0, stop=("",), repeat=0)
    ask(Journaled(lm, journal), [request])
    assert lm.asked == [request]
    assert lm.asked[0].seed == 0
    assert lm.asked[0].seed is not None
    assert type(lm.asked[0].temperature) is float
    kept = json.loads(rows(journal, "request")[0][0])
    assert kept == {
        "messages": [{"role": "user", "content": ""}],
        "labels": [],
        "schema": "",
        "tools": "",
        "temperature": 0.0,
        "top_p": 0.0,
        "max_tokens": 0,
        "stop": [""],
        "seed": 0,
        "repeat": 0,
    }
    assert ask(Journaled(lm, journal), [replace(request, seed=None)]) != []
    assert lm.calls == 2


class Answering(Gated):
    """Has an identity of its own, and counts."""

    def __init__(self, identity: dict[str, str]) -> None:
        super().__init__()
        self.identity = identity

    async def answer(self, request: Request) -> Reply:
        self.calls += 1
        return Reply(f"{self.calls}")


CHANGES: dict[str, list[Any]] = {
    "messages": [
        (Message("user", "b"),),
        (Message("system", "a"),),
        (Message("assistant", "a"),),
        (Message("system", ""), Message("user", "a")),
        (Message("user", "a"), Message("user", "")),
    ],
    "labels": [("a",), ("a", "b"), ("b", "a"), ("a, b",), ("",)],
    "schema": ["{}", "[]", " "],
    "tools": ["{}", "[]", " "],
    "temperature": [0.1, 1.0, 0.7, 1e-9],
    "top_p": [0.0, 0.9, 0.999],
    "max_tokens": [0, 1, 255],
    "stop": [("",), ("a",), ("a", "b"), ("b", "a")],
    "seed": [0, 1, -1],
    "repeat": [1, 2, 10],
    "name": ["", "m2", "M"],
    "endpoint": ["", "http://b/v1", "http://a/v1/"],
    "adapter": ["", "3f2a", "3f2b"],
}


def test_any_change_is_a_miss_and_another_order_is_a_hit(journal: Journal) -> None:
    """A thousand requests by chance: equal to one before, or told from all of them."""
    draws = random.Random(0)
    seen: dict[str, str] = {}
    hits = misses = 0

    async def work() -> None:
        nonlocal hits, misses
        for _ in range(1000):
            identity = {"provider": "openai", "endpoint": "http://a/v1", "name": "m"}
            request = said("a")
            for name in draws.sample(sorted(CHANGES), draws.randint(0, 2)):
                value = draws.choice(CHANGES[name])
                if name in ("name", "endpoint", "adapter"):
                    identity[name] = value
                else:
                    request = replace(request, **{name: value})
            shuffled = dict(draws.sample(list(identity.items()), len(identity)))
            inner = Answering(shuffled)
            reply = await Journaled(inner, journal).answer(request)
            content = repr((sorted(identity.items()), request))
            assert reply.replayed == (content in seen)
            assert inner.calls == (content not in seen)
            assert seen.setdefault(content, reply.text) == reply.text
            hits, misses = hits + reply.replayed, misses + inner.calls

    finished(work())
    assert misses == len(seen) > 300
    assert hits > 300


# one call for equal requests


def test_equal_requests_at_once_make_one_call(journal: Journal) -> None:
    async def work() -> None:
        inner = Gated()
        lm = Journaled(inner, journal)
        waiting = [asyncio.create_task(lm.answer(said("a"))) for _ in range(320)]
        await inner.reached.wait()
        inner.gate.set()
        replies = await asyncio.gather(*waiting)
        assert inner.calls == 1
        assert {each.text for each in replies} == {"open"}
        assert [each.replayed for each in replies].count(False) == 1

    finished(work())
    (line,) = journal.account()
    assert (line.calls, line.replays, line.cost) == (1, 319, 0.25)


def test_two_threads_and_two_faces_of_one_journal_make_one_call(journal: Journal) -> None:
    """A second loop waits for the first one's call by the file."""
    inner = ScriptedLM({"a": "1"})

    async def work() -> None:
        both = [
            asyncio.to_thread(ask, Journaled(inner, journal), [said("a")] * 20) for _ in range(4)
        ]
        for replies in await asyncio.gather(*both):
            assert [each.text for each in replies if isinstance(each, Reply)] == ["1"] * 20

    finished(work())
    assert inner.calls == 1


def test_one_who_leaves_stops_nothing_for_the_others(journal: Journal) -> None:
    async def work() -> None:
        inner = Gated()
        lm = Journaled(inner, journal)
        first = asyncio.create_task(lm.answer(said("a")))
        second = asyncio.create_task(lm.answer(said("a")))
        await inner.reached.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        inner.gate.set()
        assert (await second).text == "open"
        assert inner.calls == 1

    finished(work())


def test_a_paid_answer_is_kept_though_all_have_left(journal: Journal) -> None:
    async def work() -> None:
        inner = Gated()
        lm = Journaled(inner, journal)
        left = asyncio.create_task(lm.answer(said("a")))
        await inner.reached.wait()
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        inner.gate.set()
        await lm.close()
        assert rows(journal, "state") == [("done",)]
        assert (await lm.answer(said("a"))).replayed
        assert inner.calls == 1

    finished(work())


def test_what_does_not_end_in_time_is_broken_off_and_counts_as_spent(journal: Journal) -> None:
    async def work() -> None:
        lm = Journaled(Gated(), journal, patience=0.0)
        left = asyncio.create_task(lm.answer(said("a", max_tokens=9)))
        await lm.lm.reached.wait()  # type: ignore[attr-defined]  # it is Gated
        await lm.close()
        assert rows(journal, "state, reason") == [("lost", "it was broken off")]
        with pytest.raises(asyncio.CancelledError):
            await left

    finished(work())
    assert journal.entries()[-1].settled == Amount(1, 10, PICO // 2)
    assert journal.entries()[-1].reserved == NOTHING


@pytest.mark.parametrize("turns", range(8))
def test_a_loop_that_ends_anywhere_leaves_nothing_reserved(journal: Journal, turns: int) -> None:
    async def work() -> None:
        lm = Journaled(Gated(), journal)
        asked = asyncio.create_task(lm.answer(said("a")))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not asked.done()

    finished(work())
    assert {state for (state,) in rows(journal, "state")} <= {"lost"}
    if journal.entries():
        assert journal.entries()[-1].reserved == NOTHING
    lm = Gated()

    async def again() -> None:
        lm.gate.set()
        assert (await Journaled(lm, journal).answer(said("a"))).text == "open"

    finished(again())


# failures


def test_a_failure_is_that_of_all_who_wait_and_no_answer(journal: Journal) -> None:
    async def work() -> None:
        inner = Gated(CallError("no \ud800 answer", attempts=4))
        inner.gate.set()
        lm = Journaled(inner, journal)
        found = await gather(lm, [said("a")] * 20)
        assert found == [Missing("no \ud800 answer", 4)] * 20
        assert inner.calls == 1
        inner.failure = None
        assert (await lm.answer(said("a"))).text == "open"
        assert inner.calls == 2

    finished(work())
    assert rows(journal, "state, attempts, reason, cost, reply IS NULL") == [
        ("failed", 4, "no \\ud800 answer", 0.0, 1),
        ("done", 1, "", 0.25, 0),
    ]
    (line,) = journal.account()
    assert (line.calls, line.failed, line.kept) == (2, 1, 1)
    assert journal.entries()[-1].settled == Amount(2, 2, PICO // 4)


@pytest.mark.parametrize(
    ("failure", "state"), [(ModelError("no such model"), "failed"), (ValueError("bug"), "lost")]
)
def test_an_error_of_another_kind_comes_through(
    journal: Journal, failure: Exception, state: str
) -> None:
    async def work() -> None:
        inner = Gated(failure)
        inner.gate.set()
        with pytest.raises(type(failure), match=str(failure)):
            await Journaled(inner, journal).answer(said("a"))

    finished(work())
    assert rows(journal, "state") == [(state,)]


# budgets


def priced(text: str) -> Request:
    """At most 1 word read and 9 written: 0.10 at a cent a word; the answer takes 0.03."""
    return said(text, max_tokens=9)


@pytest.mark.parametrize("workers", [1, 32])
def test_no_row_of_the_ledger_is_over_the_cap(journal: Journal, workers: int) -> None:
    inner = ScriptedLM(echo, price=0.01)
    lm = Journaled(inner, journal, Budget(money=1.0), run="r")
    with pytest.raises(BudgetError, match=r"at most 1 dollars: 0\.93 are spent and .* take 0\.1;"):
        ask(lm, [priced(str(number)) for number in range(100)], workers)
    entries = journal.entries("r")
    assert [each.number for each in entries] == list(range(1, 63))
    assert max((each.settled + each.reserved).picodollars for each in entries) <= PICO
    assert entries[-1].settled == Amount(31, 93, 93 * PICO // 100)
    assert entries[-1].reserved == NOTHING
    assert inner.calls == 31
    replies = ask(lm, list(inner.asked), workers)
    assert [each.replayed for each in replies if isinstance(each, Reply)] == [True] * 31


@pytest.mark.parametrize(
    ("budget", "calls"),
    [(Budget(calls=7), 7), (Budget(tokens=40), 11), (Budget(calls=0), 0), (Budget(money=0.0), 0)],
)
def test_calls_and_tokens_are_capped_too(journal: Journal, budget: Budget, calls: int) -> None:
    inner = ScriptedLM(echo, price=0.01)
    with pytest.raises(BudgetError, match="nothing was sent"):
        ask(Journaled(inner, journal, budget), [priced(str(number)) for number in range(40)])
    assert inner.calls == calls


def test_time_is_counted_from_the_first_call_of_a_run(tmp_path: Path) -> None:
    now = [100.0]
    journal = Journal(tmp_path / "journal.sqlite", clock=lambda: now[0])
    lm = Journaled(ScriptedLM(echo), journal, Budget(seconds=60.0), run="r")
    assert isinstance(ask(lm, [said("a")])[0], Reply)
    now[0] = 159.0
    assert isinstance(ask(lm, [said("b")])[0], Reply)
    now[0] = 160.0
    with pytest.raises(BudgetError, match="at most 60 seconds of the wall clock: 60 have gone by"):
        ask(lm, [said("c")])
    assert isinstance(ask(lm, [said("a")])[0], Reply)
    other = Journaled(ScriptedLM(echo), journal, Budget(seconds=60.0), run="s")
    assert isinstance(ask(other, [said("c")])[0], Reply)
    with pytest.raises(BudgetError, match="at most 0 seconds"):
        ask(Journaled(ScriptedLM(echo), journal, Budget(seconds=0), run="t"), [said("d")])


def test_each_run_has_its_own_sums(journal: Journal) -> None:
    for run in ("r", "s"):
        lm = Journaled(ScriptedLM(echo), journal, Budget(calls=2), run=run)
        ask(lm, [said(run), said(f"{run} again")])
        with pytest.raises(BudgetError):
            ask(lm, [said(f"{run} once more")])


def test_an_unknown_price_is_refused_under_a_cap_on_money_alone(journal: Journal) -> None:
    inner = ScriptedLM(echo, name="m", price=None)
    lm = Journaled(inner, journal, Budget(money=1.0))
    with pytest.raises(InputError, match="a price of 'scripted:m' to hold 1 dollars, got none"):
        ask(lm, [said("a")])
    assert inner.calls == 0
    assert not rows(journal)
    ask(Journaled(inner, journal, Budget(calls=1)), [said("a")])
    assert inner.calls == 1
    assert ask(lm, [said("a")]) == [
        Reply("a 0", read=1, written=2, cost=None, replayed=True),
    ]


def test_a_reply_without_a_price_takes_what_was_held(journal: Journal) -> None:
    class Silent(Gated):
        async def answer(self, request: Request) -> Reply:
            return Reply("x", read=1, written=1)

    ask(Journaled(Silent(), journal, Budget(money=1.0)), [said("a")])
    assert journal.entries()[-1].settled == Amount(1, 2, PICO // 2)
    (line,) = journal.account()
    assert (line.cost, line.unpriced) == (0.0, 1)


# a process that takes too long, and secrets


def test_a_call_that_was_given_up_may_still_end(tmp_path: Path) -> None:
    """The first is stale, a second makes the same call; both are paid, one answer is kept."""
    now = [0.0]
    journal = Journal(tmp_path / "journal.sqlite", clock=lambda: now[0])

    async def work() -> None:
        slow, quick = Gated(), Gated()
        first = asyncio.create_task(Journaled(slow, journal).answer(said("a")))
        await slow.reached.wait()
        now[0] = 3600.0
        second = asyncio.create_task(Journaled(quick, journal).answer(said("a")))
        await quick.reached.wait()
        assert journal.entries()[-1].reserved.calls == 1
        slow.gate.set()
        while len(journal.entries()) < 4:
            await asyncio.sleep(0)
        assert not first.done()
        quick.gate.set()
        assert (await first).replayed
        assert not (await second).replayed

    finished(work())
    assert rows(journal, "state, cost, live") == [("forgotten", 0.25, None), ("done", 0.25, 1)]
    events = [(each.event, each.settled.calls, each.reserved.calls) for each in journal.entries()]
    assert events == [
        ("reserved", 0, 1),
        ("lost", 1, 0),
        ("reserved", 1, 1),
        ("done", 1, 1),
        ("done", 2, 0),
    ]
    assert journal.entries()[-1].settled == Amount(2, 4, PICO // 2)
    journal.close()


def test_a_late_answer_is_kept_where_nobody_else_asked(tmp_path: Path) -> None:
    now = [0.0]
    journal = Journal(tmp_path / "journal.sqlite", clock=lambda: now[0])

    async def work() -> None:
        slow = Gated()
        lm = Journaled(slow, journal)
        first = asyncio.create_task(lm.answer(said("a")))
        await slow.reached.wait()
        now[0] = 3600.0
        journal.release()
        slow.gate.set()
        assert not (await first).replayed
        journal.replies.clear()
        assert (await lm.answer(said("a"))).replayed

    finished(work())
    assert rows(journal, "state, live") == [("done", 1)]
    journal.close()


def test_no_secret_of_a_model_stands_in_the_file(tmp_path: Path) -> None:
    class Keyed(Gated):
        def __init__(self) -> None:
            super().__init__()
            self.gate.set()
            self._key = "sk-canary-1f6b"

    journal = Journal(tmp_path / "journal.sqlite")

    async def work() -> None:
        await Journaled(Keyed(), journal).answer(said("a visible text"))

    finished(work())
    bytes_kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a visible text" in bytes_kept
    assert b"canary" not in bytes_kept
    journal.close()
