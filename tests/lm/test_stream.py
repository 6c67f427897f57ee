import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from afina.errors import CallError, ModelError
from afina.lm.connection import Connection
from afina.lm.dialect import Dialect
from afina.lm.endpoint import Endpoint
from afina.lm.prices import Price
from afina.lm.rate import Limits
from afina.lm.remote import Kind, RemoteLM
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from afina.lm.stream import Stream
from tests.lm.server import Server, answers, chat, reset, status, stream
from tests.lm.slow_time import SlowTime

REQUEST = Request((Message("user", "hello"),))
PIECES = ["Hé", "llo ", "漢字", " 😀\n\n", "data: [DONE]"]
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def piece(text: str | None, finish: str | None = None, **delta: object) -> dict[str, object]:
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}],
        "usage": None,
    }


WHOLE = [piece("", role="assistant"), *map(piece, PIECES), piece(None, "stop")]
COUNTED: dict[str, object] = {"choices": [], "usage": USAGE}


def remote(server: Server, clock: SlowTime, kind: Kind = "chat", **limits: int) -> RemoteLM:
    connection = Connection(
        Endpoint(server.url), time=clock.time(), limits=Limits(**limits) if limits else None
    )
    return RemoteLM("tiny", connection, kind=kind, price=Price(1.0, 1.0))


async def read(lm: RemoteLM, stream: Stream) -> list[str]:
    try:
        return [each async for each in stream]
    finally:
        await lm.close()


def test_pieces_come_one_by_one_and_then_the_whole(server: Server, clock: SlowTime) -> None:
    server.script = [stream(*WHOLE, COUNTED)]
    lm = remote(server, clock)
    said = lm.stream(REQUEST)
    assert asyncio.run(read(lm, said)) == PIECES
    assert said.reply == Reply("".join(PIECES), "stop", 11, 7, pytest.approx(18e-6))
    body = server.bodies[0]
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_a_stream_says_what_an_answer_says(server: Server, clock: SlowTime) -> None:
    server.script = [stream(*WHOLE, COUNTED), answers(chat("".join(PIECES)))]
    lm = remote(server, clock)
    said = lm.stream(REQUEST)
    list(said)

    async def whole() -> Reply:
        try:
            return await lm.answer(REQUEST)
        finally:
            await lm.close()

    assert said.reply == asyncio.run(whole())


def test_a_plain_loop_reads_it_too_even_inside_a_running_loop(
    server: Server, clock: SlowTime
) -> None:
    server.always = stream(*WHOLE, COUNTED)
    lm = remote(server, clock)
    assert list(lm.stream(REQUEST)) == PIECES

    async def inside() -> list[str]:
        return list(lm.stream(REQUEST))

    assert asyncio.run(inside()) == PIECES


def test_a_piece_is_there_before_the_next_is_sent(server: Server, clock: SlowTime) -> None:
    heard = asyncio.Event()

    async def by_turns(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data: {json.dumps(piece('one'))}\n\n".encode())
        await asyncio.wait_for(heard.wait(), 10)
        await response.write(f"data: {json.dumps(piece('two', 'stop'))}\n\n".encode())
        loops.append(asyncio.get_running_loop())
        return response

    loops: list[asyncio.AbstractEventLoop] = []

    async def first(request: web.Request, body: Any) -> web.StreamResponse:
        loops.append(asyncio.get_running_loop())
        return await by_turns(request, body)

    server.script = [first]
    pieces = iter(remote(server, clock).stream(REQUEST))
    assert next(pieces) == "one"
    loops[0].call_soon_threadsafe(heard.set)
    assert list(pieces) == ["two"]


def test_one_who_leaves_closes_the_connection(server: Server, clock: SlowTime) -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(f"data: {json.dumps(piece('a'))}\n\n".encode())
                await asyncio.sleep(0.001)
        except (asyncio.CancelledError, ConnectionError):
            gone.set()
            raise

    async def leaving() -> None:
        lm = remote(server, clock, concurrency=1)
        server.script = [endless, stream(*WHOLE)]
        pieces = aiter(lm.stream(REQUEST))
        assert await anext(pieces) == "a"
        await pieces.aclose()  # type: ignore[attr-defined]
        assert [each async for each in lm.stream(REQUEST)] == PIECES
        for _ in range(500):
            if gone.is_set():
                break
            await asyncio.sleep(0.01)
        assert gone.is_set()
        await lm.close()

    asyncio.run(leaving())


def test_a_stream_of_a_base_model(server: Server, clock: SlowTime) -> None:
    texts = [{"choices": [{"index": 0, "text": each, "finish_reason": None}]} for each in "abc"]
    texts[-1]["choices"][0]["finish_reason"] = "length"
    server.script = [stream(*texts)]
    said = remote(server, clock, "completions").stream(REQUEST)
    assert list(said) == list("abc")
    assert said.reply is not None
    assert (said.reply.text, said.reply.finish, said.reply.estimated) == ("abc", "length", True)


def test_calls_of_tools_are_put_together(server: Server, clock: SlowTime) -> None:
    def call(index: int, **function: str) -> dict[str, object]:
        return piece(None, tool_calls=[{"index": index, "function": function}])

    parts = [
        call(0, name="look", arguments=""),
        call(0, arguments='{"at":'),
        call(1, name="go", arguments="{}"),
        call(0, arguments=" 1}"),
        piece(None, "tool_calls"),
    ]
    server.script = [stream(*parts)]
    said = remote(server, clock).stream(REQUEST)
    assert list(said) == []
    assert said.reply is not None
    assert said.reply.finish == "tools"
    assert json.loads(said.reply.text)["tool_calls"] == [
        {"name": "look", "arguments": {"at": 1}},
        {"name": "go", "arguments": {}},
    ]


def test_it_is_tried_again_until_it_begins(server: Server, clock: SlowTime) -> None:
    server.script = [status(500), reset, status(429, Retry_After="7"), stream(*WHOLE)]
    assert list(remote(server, clock).stream(REQUEST)) == PIECES
    assert len(server.seen) == 4
    assert clock.pauses[-1] >= 7


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (stream(*WHOLE[:3], end="", drop=True), "the stream broke off"),
        (stream(*WHOLE[:3], end=""), "cut after 6 characters"),
        (stream(*WHOLE[:3]), "cut after 6 characters"),
        (stream(*WHOLE[:3], "{not JSON"), "what came is no JSON"),
        (stream(*WHOLE[:3], {"error": {"message": "gone"}}), "gone"),
        (stream(*WHOLE[:3], {"choices": 3}), "OpenAI's shape"),
        (stream(*WHOLE[:3], piece("x" * 2**16)), "more came than is allowed"),
    ],
)
def test_a_stream_that_breaks_off_is_no_answer(
    server: Server, clock: SlowTime, handler: Any, told: str
) -> None:
    server.script = [handler]
    said = remote(server, clock, answer_bytes=2**15).stream(REQUEST)
    heard = []
    with pytest.raises(CallError, match=told):
        heard.extend(each for each in collect(said, heard))
    assert "".join(heard) == "Héllo "
    assert said.reply is None
    assert len(server.seen) == 1


def collect(said: Stream, heard: list[str]) -> list[str]:
    for each in said:
        heard.append(each)
    return []


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (answers(chat("whole")), "came application/json; ask without streaming"),
        (status(401), "refuses the key"),
        (status(302, Location="http://elsewhere/"), "the key shall not go"),
    ],
)
def test_what_is_no_stream_is_told(
    server: Server, clock: SlowTime, handler: Any, told: str
) -> None:
    server.script = [handler]
    with pytest.raises(CallError, match=told):
        list(remote(server, clock).stream(REQUEST))


def test_labels_that_are_scored_are_not_streamed(server: Server, clock: SlowTime) -> None:
    lm = RemoteLM("tiny", remote(server, clock).connection, dialect=Dialect(labels="score"))
    with pytest.raises(ModelError, match="ask for an answer instead"):
        list(lm.stream(replace(REQUEST, labels=("a", "b"))))
