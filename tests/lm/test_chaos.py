"""FAULTS 10: an endpoint that misbehaves in every way we know; nothing here waits for real."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from afina.errors import CallError
from afina.lm.connection import Connection
from afina.lm.endpoint import Endpoint, Key
from afina.lm.lm import ask
from afina.lm.rate import Limits
from afina.lm.remote import RemoteLM
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.retry import Patience
from tests.lm.server import (
    Handler,
    Server,
    answers,
    chat,
    cut,
    raw,
    reset,
    serving,
    stall,
    status,
    well,
)
from tests.lm.slow_time import SlowTime

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
PASSING: dict[str, Handler] = {
    "408": status(408),
    "409": status(409),
    "425": status(425),
    "429": status(429),
    "500": status(500, '{"error": {"message": "oh no", "code": "server_error"}}'),
    "HTML 502": status(502, HTML),
    "503": status(503),
    "504": status(504),
    "529": status(529),
    "reset": reset,
    "stall": stall,
    "cut JSON": raw('{"choices": [{"message": {"content": "he'),
    "cut body": cut,
    "garbage": raw("\x00\x01 not JSON"),
    "empty body": raw(""),
    "HTML 200": raw(HTML, "text/html"),
    "deep JSON": raw("[" * 100_000),
    "JSON of no shape": raw('{"hello": "world"}'),
    "JSON null": raw("null"),
    "empty choices": answers({"choices": [], "usage": {}}),
    "choices of another kind": answers({"choices": "none"}),
    "no message": answers({"choices": [{"index": 0}]}),
    "a number for a text": answers({"choices": [{"message": {"content": 3}}]}),
    "an error at status 200": answers({"error": {"message": "upstream is gone"}}),
}
FINAL: dict[str, tuple[Handler, str]] = {
    "400": (status(400, '{"error": {"message": "no max_tokens"}}'), "'no max_tokens'"),
    "401": (status(401), "refuses the key; set OPENAI_API_KEY or the key file"),
    "402": (status(402), "look at the account"),
    "403": (status(403), "this key may not do that"),
    "404": (status(404, HTML), r"the model's name and the base URL \(its /v1\)"),
    "413": (status(413), "send less"),
    "418": (status(418), r"expected status 200 \(status 418"),
    "422": (status(422), "leave out what it names, or set its dialect"),
    "501": (status(501), "status 501"),
    "204": (status(204), "status 204"),
    "302": (status(302, Location="http://elsewhere.example/v1"), "elsewhere.example"),
    "quota": (
        status(429, '{"error": {"message": "pay", "code": "insufficient_quota"}}'),
        "the account's money is spent",
    ),
}


def remote(server: Server, clock: SlowTime, **patience: float) -> RemoteLM:
    settings: dict[str, Any] = {"attempts": 4, "stall": 0.3} | patience
    return RemoteLM(
        "tiny",
        Connection(
            Endpoint(server.url, Key("sk-canary-0123456789abcdef")),
            patience=Patience(**settings),
            limits=Limits(answer_bytes=2**20),
            time=clock.time(),
            generator=random.Random(0),
        ),
    )


def said(text: str) -> Request:
    return Request((Message("user", text),))


def missing(found: Sequence[Reply | Missing]) -> Missing:
    (only,) = found
    assert isinstance(only, Missing)
    return only


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_leaves_no_trace(server: Server, clock: SlowTime, fault: str) -> None:
    calm = ask(remote(server, clock), [said("hello")])
    server.script = [PASSING[fault]] * 3
    (found,) = ask(remote(server, clock), [said("hello")])
    assert isinstance(found, Reply)
    assert [found.text, found.read, found.written, found.finish] == [
        each for reply in calm for each in (reply.text, reply.read, reply.written, reply.finish)
    ]
    assert len(server.seen) == 1 + 4
    assert len({str(body) for body in server.bodies}) == 1
    assert len(clock.pauses) == 3
    for attempt, pause in enumerate(clock.pauses):
        assert 0 < pause <= 0.5 * 2**attempt


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_stays_is_missing_after_all_attempts(
    server: Server, clock: SlowTime, fault: str
) -> None:
    server.always = PASSING[fault]
    found = missing(ask(remote(server, clock, attempts=3), [said("hello")]))
    assert found.attempts == len(server.seen) == 3
    assert found.reason.startswith(f"no answer from {server.url}, asked 3 times: ")
    assert "canary" not in found.reason


@pytest.mark.parametrize("fault", FINAL)
def test_what_would_fail_again_is_told_at_once(server: Server, clock: SlowTime, fault: str) -> None:
    server.script = [FINAL[fault][0]]
    lm = remote(server, clock)
    with pytest.raises(CallError, match=FINAL[fault][1]) as refused:
        asyncio.run(closing(lm))
    assert refused.value.attempts == len(server.seen) == 1
    assert clock.pauses == []


async def closing(lm: RemoteLM) -> Reply:
    try:
        return await lm.answer(said("hello"))
    finally:
        await lm.close()


def test_many_calls_through_all_faults_equal_the_calm_run(server: Server, clock: SlowTime) -> None:
    requests = [said(f"number {each}") for each in range(120)]
    calm = ask(remote(server, clock), requests)
    draw = random.Random(1)
    quick = [name for name in PASSING if name != "stall"]

    async def stormy(request: web.Request, body: Any) -> web.StreamResponse:
        handler = PASSING[draw.choice(quick)] if draw.random() < 0.4 else well
        return await handler(request, body)

    server.always = stormy
    server.seen.clear()
    found = ask(remote(server, clock, attempts=30), requests)
    assert [(r.text, r.read, r.written) for r in found if isinstance(r, Reply)] == [
        (r.text, r.read, r.written) for r in calm if isinstance(r, Reply)
    ]
    assert len(server.seen) > 150


@pytest.mark.parametrize("code", [429, 503, 500])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry_after_ms": "2500"}, 2.5),
    ],
)
def test_it_waits_as_it_is_told(
    server: Server, clock: SlowTime, code: int, headers: dict[str, str], wait: float
) -> None:
    server.script = [status(code, **headers)]
    (found,) = ask(remote(server, clock), [said("hello")])
    assert isinstance(found, Reply)
    (pause,) = clock.pauses
    assert wait <= pause <= wait + 0.5


def test_a_wait_beyond_the_deadline_is_not_begun(server: Server, clock: SlowTime) -> None:
    server.script = [status(429, Retry_After="3600")]
    found = missing(ask(remote(server, clock, deadline=600), [said("hello")]))
    assert found.attempts == 1
    assert "after the deadline of 600 seconds" in found.reason
    assert clock.seconds == 0


def test_all_attempts_end_by_the_deadline(server: Server, clock: SlowTime) -> None:
    server.always = status(500, Retry_After="40")
    found = missing(ask(remote(server, clock, attempts=100, deadline=200), [said("hello")]))
    assert clock.seconds < 200
    assert found.attempts == 5


def test_an_answer_that_drips_ends_at_the_deadline(server: Server) -> None:
    async def drip(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    server.always = drip
    patience = Patience(attempts=9, deadline=0.2, first=0)
    lm = RemoteLM("tiny", Connection(Endpoint(server.url), patience=patience))
    found = missing(ask(lm, [said("hello")]))
    assert found.attempts == 1
    assert "no whole answer by the deadline of 0.2 seconds" in found.reason


def test_a_full_server_is_left_alone_by_all(server: Server, clock: SlowTime) -> None:
    async def two() -> list[object]:
        lm = remote(server, clock, attempts=1)
        first = await asyncio.gather(lm.answer(said("a")), return_exceptions=True)
        began = clock.seconds
        second = await lm.answer(said("b"))
        await lm.close()
        return [*first, second.text, clock.seconds - began]

    server.script = [status(429, Retry_After="7")]
    error, text, waited = asyncio.run(two())
    assert isinstance(error, CallError)
    assert text == "b"
    assert isinstance(waited, float)
    assert 7 <= waited <= 8


def test_a_fault_of_one_call_holds_no_other(server: Server, clock: SlowTime) -> None:
    async def two() -> None:
        lm = remote(server, clock, attempts=1)
        await asyncio.gather(lm.answer(said("a")), return_exceptions=True)
        await lm.answer(said("b"))
        await lm.close()

    server.script = [status(500, Retry_After="7")]
    asyncio.run(two())
    assert clock.pauses == []


def test_nobody_waits_for_a_full_server_past_the_deadline(server: Server, clock: SlowTime) -> None:
    async def two() -> None:
        lm = remote(server, clock, deadline=60)
        await asyncio.gather(lm.answer(said("a")), return_exceptions=True)
        try:
            await lm.answer(said("b"))
        finally:
            await lm.close()

    server.script = [status(429, Retry_After="86400")]
    with pytest.raises(CallError, match="another call was told to wait for longer") as refused:
        asyncio.run(two())
    assert refused.value.attempts == 0
    assert len(server.seen) == 1


def test_limits_are_kept_by_calls_and_by_repeated_attempts(server: Server, clock: SlowTime) -> None:
    server.script = [status(500)]
    lm = remote(server, clock)
    lm = RemoteLM(
        "tiny",
        Connection(
            lm.connection.endpoint,
            limits=Limits(requests_per_minute=6),
            time=clock.time(),
            generator=random.Random(0),
        ),
    )
    ask(lm, [said("a"), said("b"), said("c")], concurrency=1)
    assert len(server.seen) == 4
    assert clock.seconds == pytest.approx(30, abs=1.5)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("code", [200, 500])
def test_an_endless_answer_is_not_read(
    server: Server, clock: SlowTime, declared: bool, code: int
) -> None:
    sent = []

    async def endless(request: web.Request, body: Any) -> web.StreamResponse:
        headers = {"Content-Length": str(10**10)} if declared else {}
        response = web.StreamResponse(status=code, headers=headers)
        await response.prepare(request)
        while len(sent) < 1000:
            await response.write(b" " * 2**16)
            sent.append(2**16)
        raise AssertionError("it was read")

    server.always = endless
    found = missing(ask(remote(server, clock), [said("hello")]))
    assert "expected an answer of at most 1048576 bytes, came more" in found.reason
    assert found.attempts == 1
    assert sum(sent) < 40 * 2**20


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_the_key_follows_no_redirect(server: Server, clock: SlowTime, code: int) -> None:
    with serving() as other:
        server.always = status(code, Location=f"{other.url}/chat/completions")
        found = missing(ask(remote(server, clock), [said("hello")]))
        assert "where the key shall not go" in found.reason
        assert other.seen == []


@pytest.mark.parametrize("code", [200, 400])
def test_a_servers_words_move_no_cursor(server: Server, clock: SlowTime, code: int) -> None:
    words = '{"error": {"message": "\\u009b2Jgone\\r\\n\\u202e' + "x" * 5000 + '"}}'
    server.always = status(code, words)
    reason = missing(ask(remote(server, clock), [said("hello")])).reason
    assert reason.isprintable()
    assert len(reason) < 700


def test_empty_and_false_texts_are_no_faults(server: Server, clock: SlowTime) -> None:
    server.script = [answers(chat("")), answers(chat("false")), answers(chat("0"))]
    found = ask(remote(server, clock), [said("a"), said("b"), said("c")], concurrency=1)
    assert [each.text for each in found if isinstance(each, Reply)] == ["", "false", "0"]
    assert len(server.seen) == 3
