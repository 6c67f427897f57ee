"""Vectors of an endpoint are paid for once by their content, held in a budget, and forgotten."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from afina.errors import BudgetError, CallError, InputError, ModelError
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.connection import Connection
from afina.lm.embedding import RemoteEmbedding
from afina.lm.endpoint import Endpoint
from afina.lm.forgetting import Selection
from afina.lm.journal import Journal
from afina.lm.journaled_embedding import JournaledEmbedding
from afina.lm.kept_vectors import vector_key
from afina.lm.prices import Price
from tests.lm.server import Server, answers, status
from tests.lm.slow_time import SlowTime

TEXTS = ["a", "bb", "ccc", "a", "dddd", "\ud800"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


def journaled(
    server: Server,
    journal: Journal,
    budget: Budget = UNLIMITED,
    *,
    price: Price | None = None,
    size: int = 64,
    name: str = "tiny",
    url: str = "",
) -> JournaledEmbedding:
    connection = Connection(Endpoint(url or server.url), time=SlowTime().time())
    remote = RemoteEmbedding(name, connection, price=price, batch=size)
    return JournaledEmbedding(remote, journal, budget, run="r")


def sent(server: Server) -> list[list[str]]:
    return [body["input"] for body in server.bodies]


def test_a_text_is_sent_once_whatever_stands_beside_it(server: Server, journal: Journal) -> None:
    first = journaled(server, journal, size=2)(TEXTS)
    assert first.dtype == np.float32
    assert first[:, 0].tolist() == [1, 2, 3, 1, 4, 1]
    assert sorted(map(len, sent(server))) == [1, 2, 2]
    server.seen.clear()
    again = journaled(server, Journal(journal.path))
    np.testing.assert_array_equal(again(list(reversed(TEXTS))), first[::-1])
    assert sent(server) == []
    assert again([*TEXTS, "new"])[:, 0].tolist() == [1, 2, 3, 1, 4, 1, 3]
    assert sent(server) == [["new"]]


def test_the_vectors_are_those_that_the_endpoint_gave(server: Server, journal: Journal) -> None:
    numbers = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    rows = [{"index": at, "embedding": row.tolist()} for at, row in enumerate(numbers)]
    server.script = [answers({"data": rows})]
    for _ in range(2):
        np.testing.assert_array_equal(journaled(server, journal)(["x", "y", "z"]), numbers)
    assert len(server.seen) == 1


def test_another_model_or_endpoint_is_another_vector(server: Server, journal: Journal) -> None:
    journaled(server, journal)(["a"])
    journaled(server, journal, name="small")(["a"])
    journaled(server, journal, url=server.url.replace("127.0.0.1", "localhost"))(["a"])
    assert len(server.seen) == 3
    one = vector_key({"name": "m", "endpoint": "e"}, "t")
    assert vector_key({"endpoint": "e", "name": "m"}, "t") == one
    assert vector_key({"name": "m", "endpoint": "e"}, "T") != one


def test_the_account_tells_batches_tokens_dollars_and_replays(
    server: Server, journal: Journal
) -> None:
    made = journaled(server, journal, price=Price(2.0, 0.0), size=2)
    made(["a", "b", "c"])
    made(["c", "d"])
    (line,) = journal.account()
    assert (line.run, line.model, line.endpoint) == ("r", "openai:tiny", server.url)
    assert (line.calls, line.read, line.written, line.replays) == (3, 20, 0, 1)
    assert line.cost == pytest.approx(40e-6)


def test_no_texts_are_no_call(server: Server, journal: Journal) -> None:
    assert journaled(server, journal)([]).shape == (0, 0)
    assert journal.account() == []


def test_a_budget_holds_and_what_was_paid_is_replayed(server: Server, journal: Journal) -> None:
    held = journaled(server, journal, Budget(calls=2), size=1)
    with pytest.raises(BudgetError, match="expected at most 2 calls"):
        held(["a", "bb", "ccc"])
    assert len(server.seen) == 2
    raised = journaled(server, journal, Budget(calls=3), size=1)
    assert raised(["a", "bb", "ccc"])[:, 0].tolist() == [1, 2, 3]
    assert len(server.seen) == 3
    assert held(["ccc"])[:, 0].tolist() == [3]


def test_money_is_reserved_before_a_batch_is_sent(server: Server, journal: Journal) -> None:
    price = Price(1.0, 0.0)
    tight = journaled(server, journal, Budget(money=50e-6), price=price)
    with pytest.raises(BudgetError, match="dollars"):
        tight(["a" * 100])
    assert server.seen == []
    assert tight(["a"]).shape == (1, 3)


def test_an_unknown_price_under_a_money_cap_is_refused(server: Server, journal: Journal) -> None:
    with pytest.raises(InputError, match="expected a price of 'openai:tiny'"):
        journaled(server, journal, Budget(money=1.0))
    assert server.seen == []


def test_a_batch_that_fails_stops_no_other_and_is_asked_anew(
    server: Server, journal: Journal
) -> None:
    server.script = [status(400)]
    made = journaled(server, journal, size=1)
    with pytest.raises(CallError, match="takes no such request"):
        made(["a", "bb", "ccc"])
    (line,) = journal.account()
    assert (line.calls, line.failed) == (3, 1)
    assert made(["a", "bb", "ccc"])[:, 0].tolist() == [1, 2, 3]
    assert len(server.seen) == 4


def test_equal_texts_at_once_make_one_call(server: Server, journal: Journal) -> None:
    made = journaled(server, journal)

    async def both() -> list[object]:
        found = await asyncio.gather(*(made.vectors(["a", "b"]) for _ in range(20)))
        await made.calls.close()
        return [each.tolist() for each in found]

    first, *rest = asyncio.run(both())
    assert all(each == first for each in rest)
    assert len(server.seen) == 1


def test_what_a_killed_process_was_given_is_not_paid_for_again(
    server: Server, journal: Journal
) -> None:
    """Stopped after the vectors are kept, and before the journal knows that the call is done."""
    made = journaled(server, journal)

    async def stopped(*_: object) -> bool:
        raise KeyboardInterrupt

    made.calls.end = stopped  # type: ignore[method-assign]  # a fail point
    with pytest.raises(KeyboardInterrupt):
        made(["a"])
    assert journaled(server, journal)(["a"]).shape == (1, 3)
    assert len(server.seen) == 1


def test_forgotten_calls_take_their_vectors_along(server: Server, journal: Journal) -> None:
    journaled(server, journal)(["a"])
    journaled(server, journal, name="small")(["a"])
    assert journal.forget(Selection(model="openai:tiny")) == 1
    journaled(server, journal, name="small")(["a"])
    assert len(server.seen) == 2
    journaled(server, journal)(["a"])
    assert len(server.seen) == 3


def test_vectors_that_another_process_forgets_meanwhile_are_missing(
    server: Server, journal: Journal
) -> None:
    made = journaled(server, journal)
    made(["a"])
    Journal(journal.path).forget(Selection(run="r"))
    with pytest.raises(CallError, match="forgotten while more were made; run the same again"):
        made(["a"])


def test_another_width_behind_the_same_name_is_told(server: Server, journal: Journal) -> None:
    journaled(server, journal)(["a"])
    server.script = [answers({"data": [{"index": 0, "embedding": [1.0]}]})]
    with pytest.raises(
        ModelError, match=r"came \[1, 3\]; .* afina journal forget --model openai:t"
    ):
        journaled(server, journal)(["a", "b"])


def test_a_journal_of_before_is_brought_up_to_date(server: Server, journal: Journal) -> None:
    journaled(server, journal)(["a"])
    with journal.opened() as connection:
        connection.execute("DROP TABLE vectors")
        connection.execute("PRAGMA user_version = 1")
    older = Journal(journal.path)
    assert [line.calls for line in older.account()] == [1]
    journaled(server, older)(["b"])
    assert len(server.seen) == 2
    older.close()
