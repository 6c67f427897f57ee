"""A server of OpenAI's shape on loopback, in a thread of its own, that misbehaves as it is told."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request, Any], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """What was asked, and how the next requests shall be handled; then well."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    script: list[Handler] = field(default_factory=list)
    always: Handler | None = None

    @property
    def bodies(self) -> list[Any]:
        return [each.body for each in self.seen]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.seen.append(Seen(request.path, dict(request.headers), body))
        handler = self.script.pop(0) if self.script else self.always or well
        return await handler(request, body)


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs until the block ends."""
    server, loop = Server(), asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", server.handle)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner

    runner = loop.run_until_complete(start())
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def chat(text: str, **message: object) -> dict[str, Any]:
    """A chat answer as OpenAI writes it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


async def well(request: web.Request, body: Any) -> web.StreamResponse:
    """The last turn again, or the prompt, backwards; vectors of what was sent."""
    if request.path.endswith("/embeddings"):
        rows = [
            {"object": "embedding", "index": place, "embedding": [len(text), place, 0.5]}
            for place, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 5 * len(rows), "total_tokens": 5 * len(rows)}
        answer = {"object": "list", "model": "tiny", "data": rows[::-1], "usage": usage}
        return web.json_response(answer)
    if request.path.endswith("/chat/completions"):
        return web.json_response(chat(body["messages"][-1]["content"][::-1]))
    answer = chat("")
    answer["choices"][0]["text"] = body["prompt"][::-1]
    return web.json_response(answer)


def answers(data: object) -> Handler:
    """Always this JSON."""

    async def handler(request: web.Request, body: Any) -> web.StreamResponse:
        return web.json_response(data)

    return handler


def status(code: int, text: str = "", **headers: str) -> Handler:
    """This status, with a text."""

    async def handler(request: web.Request, body: Any) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=text, headers=named)

    return handler


def raw(text: str, content_type: str = "application/json") -> Handler:
    """Status 200 with this text."""

    async def handler(request: web.Request, body: Any) -> web.StreamResponse:
        return web.Response(text=text, content_type=content_type)

    return handler


async def reset(request: web.Request, body: Any) -> web.StreamResponse:
    """The connection is torn down before anything was said."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stall(request: web.Request, body: Any) -> web.StreamResponse:
    """Nothing comes until the client goes."""
    await asyncio.Event().wait()
    raise AssertionError


async def cut(request: web.Request, body: Any) -> web.StreamResponse:
    """Less comes than was promised."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


def stream(*events: object, end: str = "[DONE]", drop: bool = False) -> Handler:
    """Events, in pieces that break them anywhere; then the end, or the connection is dropped."""

    async def handler(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        texts = [each if isinstance(each, str) else json.dumps(each) for each in events]
        lines = "".join(f"data: {text}\r\n\r\n" for text in [*texts, *([end] if end else [])])
        data = (": hello\n\n" + lines).encode()
        for start in range(0, len(data), 17):
            await response.write(data[start : start + 17])
        if drop:
            assert request.transport is not None
            request.transport.abort()
        return response

    return handler
