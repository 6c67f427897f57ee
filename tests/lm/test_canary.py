"""FAULTS 25: a key occurs nowhere but in the header of a request."""

import asyncio
import logging
import pickle
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from afina.errors import CallError
from afina.lm.connection import Connection
from afina.lm.embedding import RemoteEmbedding
from afina.lm.endpoint import Endpoint, Key
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import ask
from afina.lm.remote import RemoteLM
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.retry import Patience
from tests.lm.server import Handler, Server, answers, chat, cut, raw, reset, stall, status, stream

CANARY = "sk-canary-0123456789abcdef"
REQUEST = Request((Message("user", "hello"),))


def echoing(code: int, kind: str = "text/plain") -> Handler:
    """Says back all headers that came, as a debugging proxy does."""

    async def handler(request: web.Request, body: Any) -> web.StreamResponse:
        text = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        return web.Response(status=code, text=text, content_type=kind, reason=CANARY)

    return handler


FAULTS: dict[str, Handler] = {
    "echo 200": echoing(200),
    "echo 302": echoing(302),
    "echo 400": echoing(400),
    "echo 401": echoing(401),
    "echo 500": echoing(500),
    "echo as JSON": status(400, f'{{"error": {{"message": "bad key {CANARY}"}}}}'),
    "error at 200": answers({"error": {"message": CANARY}}),
    "another shape": answers({CANARY: CANARY}),
    "escaped": raw('{"error": "sk\\u002dcanary\\u002d0123456789abcdef"}'),
    "redirect": status(302, Location=f"http://elsewhere/{CANARY}"),
    "reset": reset,
    "cut": cut,
    "stall": stall,
    "garbage": raw(CANARY),
    "a stream's error": stream({"error": {"message": CANARY}}),
    "a stream's garbage": stream(CANARY),
}


def remote(server: Server) -> RemoteLM:
    patience = Patience(attempts=2, first=0, stall=0.1)
    return RemoteLM("tiny", Connection(Endpoint(server.url, Key(CANARY)), patience=patience))


def everything(error: BaseException) -> str:
    """All that a traceback can show: locals, causes and contexts, and each error's parts."""
    shown = [
        "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    ]
    link: BaseException | None = error
    while link is not None:
        shown += [repr(link), str(link), repr(link.args), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "\n".join(shown)


async def asked(lm: RemoteLM, streaming: bool) -> None:
    try:
        if streaming:
            async for _ in lm.stream(REQUEST):
                pass
        else:
            await lm.answer(REQUEST)
    finally:
        await lm.close()


def failure(lm: RemoteLM, streaming: bool) -> CallError:
    """The error, caught where no local is the server, which knows the key."""
    with pytest.raises(CallError) as failed:
        asyncio.run(asked(lm, streaming), debug=True)
    return failed.value


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_no_traceback_and_no_log_has_the_key(
    server: Server, caplog: pytest.LogCaptureFixture, fault: str, streaming: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    server.always = FAULTS[fault]
    error = failure(remote(server), streaming)
    assert server.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert CANARY not in str(error)
    assert CANARY not in everything(error)
    assert CANARY not in caplog.text
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_key_that_was_escaped_in_a_stream_is_not_told(server: Server) -> None:
    escaped = CANARY.replace("-", "\\u002d")
    server.always = stream(f'{{"error": "{escaped}"}}')
    error = failure(remote(server), True)
    assert "[key]" in str(error)
    assert CANARY not in str(error)


def test_a_reply_that_says_the_key_does_not_have_it(server: Server) -> None:
    server.script = [answers(chat(f"your key is {CANARY}"))]
    lm = remote(server)

    async def one() -> str:
        try:
            return repr(await lm.answer(REQUEST))
        finally:
            await lm.close()

    shown = asyncio.run(one())
    assert "your key is [key]" in shown
    assert CANARY not in shown


def test_a_journal_does_not_keep_the_key(server: Server, tmp_path: Path) -> None:
    server.script = [answers(chat(f"your key is {CANARY}")), FAULTS["echo 401"]]
    lm = Journaled(remote(server), Journal(tmp_path / "journal.sqlite"))
    first, second = ask(lm, [REQUEST, replace(REQUEST, repeat=1)], concurrency=1)
    assert isinstance(first, Reply)
    assert isinstance(second, Missing)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"your key is [key]" in kept
    assert b"refuses the key" in kept
    assert CANARY.encode() not in kept


def test_nothing_that_is_shown_or_kept_has_the_key(server: Server) -> None:
    lm = remote(server)
    embedding = RemoteEmbedding("tiny", lm.connection)
    shown = [lm, lm.identity, lm.connection, lm.connection.endpoint, embedding.identity]
    assert CANARY not in "".join(map(repr, shown)) + REQUEST.key(lm.identity)
    assert CANARY not in repr(lm.most(REQUEST))


def test_a_key_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="a key is not kept"):
        pickle.dumps(Endpoint("https://host/v1", Key(CANARY)))


def test_the_canary_is_found_where_it_is() -> None:
    def careless() -> None:
        secret = CANARY
        raise CallError(secret[:3])

    with pytest.raises(CallError) as failed:
        careless()
    assert CANARY in everything(failed.value)
