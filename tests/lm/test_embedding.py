import asyncio
from typing import Any

import numpy as np
import pytest

from afina.errors import CallError, ModelError
from afina.lm.connection import Connection
from afina.lm.embedding import Embedded, RemoteEmbedding
from afina.lm.endpoint import Endpoint
from afina.lm.prices import Price
from tests.lm.server import Server, answers, status
from tests.lm.slow_time import SlowTime


def remote(server: Server, clock: SlowTime, **settings: Any) -> RemoteEmbedding:
    return RemoteEmbedding("tiny", Connection(Endpoint(server.url), time=clock.time()), **settings)


def embed(model: RemoteEmbedding, texts: list[str]) -> Embedded:
    async def whole() -> Embedded:
        try:
            return await model.embed(texts)
        finally:
            await model.close()

    return asyncio.run(whole())


def row(*numbers: float, index: int = 0) -> dict[str, object]:
    return {"index": index, "embedding": list(numbers)}


def test_vectors_come_in_the_order_of_the_texts(server: Server, clock: SlowTime) -> None:
    texts = ["a" * length for length in range(10)]
    found = remote(server, clock, batch=4)(texts)
    assert found.dtype == np.float32
    assert found.shape == (10, 3)
    assert found[:, 0].tolist() == list(range(10))
    assert sorted(len(body["input"]) for body in server.bodies) == [2, 4, 4]


def test_batches_change_no_vector(server: Server, clock: SlowTime) -> None:
    texts = ["x" * length for length in (5, 1, 3)]
    alone = np.concatenate([remote(server, clock)([text]) for text in texts])
    np.testing.assert_array_equal(remote(server, clock, batch=2)(texts)[:, 0], alone[:, 0])


def test_tokens_are_counted_and_paid(server: Server, clock: SlowTime) -> None:
    found = embed(remote(server, clock, price=Price(2.0, 0.0), batch=2), ["a", "b", "c"])
    assert (found.read, found.cost, found.estimated) == (15, pytest.approx(30e-6), False)


def test_tokens_that_were_not_counted_are_estimated(server: Server, clock: SlowTime) -> None:
    server.script = [answers({"data": [row(1.0)]})]
    found = embed(remote(server, clock), ["abcdefg"])
    assert (found.read, found.cost, found.estimated) == (3, None, True)


def test_no_texts_are_no_call(server: Server, clock: SlowTime) -> None:
    assert remote(server, clock)([]).shape == (0, 0)
    assert server.seen == []


@pytest.mark.parametrize(
    "data",
    [
        [row(1.0)],
        [row(1.0), row(2.0), row(3.0)],
        [row(1.0), row(2.0, 3.0)],
        [row(1.0), {"index": 1, "embedding": ["x"]}],
        [row(1.0), {"index": 1, "embedding": [float("nan")]}],
        [row(1.0), {"index": 1, "embedding": 3}],
        [row(1.0), {"embedding": [1.0]}],
        [row(1.0, index=0), row(2.0, index=0)],
        "none",
    ],
)
def test_what_are_no_vectors_is_asked_for_again(
    server: Server, clock: SlowTime, data: object
) -> None:
    server.script = [answers({"data": data}), status(500)]
    assert remote(server, clock)(["a", "bb"])[:, 0].tolist() == [1, 2]
    assert len(server.seen) == 3


def test_a_batch_that_fails_fails_all(server: Server, clock: SlowTime) -> None:
    server.script = [status(400)]
    with pytest.raises(CallError, match="takes no such request"):
        remote(server, clock, batch=1)(["a", "b", "c"])


def test_widths_that_differ_are_refused(server: Server, clock: SlowTime) -> None:
    server.script = [answers({"data": [row(1.0, 2.0)]})]
    with pytest.raises(ModelError, match=r"one width from 'tiny', came \[2, 3\]"):
        remote(server, clock, batch=1)(["a", "b"])


def test_the_identity_is_endpoint_and_name(server: Server, clock: SlowTime) -> None:
    assert remote(server, clock).identity == {
        "provider": "openai",
        "kind": "embeddings",
        "endpoint": server.url,
        "name": "tiny",
    }
