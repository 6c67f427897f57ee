"""An endpoint that is open: JSON goes there and comes back, as often and as fast as is allowed."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import aiohttp

from afina.errors import CallError
from afina.lm.endpoint import Endpoint
from afina.lm.faults import network_fault, shown, status_fault, stream_fault
from afina.lm.rate import Limits, Rate
from afina.lm.retry import Patience, Setback, Time, pause_before, told_wait
from afina.lm.stream import DONE, events

T = TypeVar("T")
HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
NETWORK = (aiohttp.ClientError, OSError)  # a timeout is an OSError


@dataclass(frozen=True)
class Line:
    """What belongs to one event loop: its connections and the gate before them."""

    session: aiohttp.ClientSession
    gate: asyncio.Semaphore


@dataclass(frozen=True)
class Answered(Generic[T]):
    """What was read from an answer, and what the attempt that brought it took."""

    value: T
    seconds: float


class Connection:
    """An endpoint with its limits, shared by all models that are asked there.

    It opens itself in each event loop at the first call there.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        limits: Limits | None = None,
        patience: Patience | None = None,
        time: Time | None = None,
        generator: random.Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits or Limits()
        self.patience = patience or Patience()
        self.time = time or Time()
        self.generator = generator or random.Random()
        self.rate = Rate(self.limits, self.time.now)
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, Line] = WeakKeyDictionary()

    async def post(
        self,
        path: str,
        body: Mapping[str, object],
        read: Callable[[object], T | Setback],
        *,
        tokens: int = 0,
        used: Callable[[T], int] = lambda value: 0,
    ) -> Answered[T]:
        """Send a body and read the answer; what ``read`` cannot take is asked for again.

        ``tokens`` are reserved under the limits, ``used`` tells how many it was.

        Raises:
            CallError: no answer after all attempts.
        """
        data, line = encode(body), self._line()

        async def attempt(left: float) -> Answered[T] | Setback:
            begin = self.time.now()
            try:
                async with await self._send(line, path, data, left) as answer:
                    content = await self._content(answer)
                    fault = self._fault(answer, content)
            except NETWORK as error:
                return network_fault(error, self.patience)
            if fault is not None:
                return fault
            assert content is not None
            value = parse(content, read)
            if isinstance(value, Setback):
                return replace(value, reason=self.endpoint.key.hide(value.reason))
            return Answered(value, self.time.now() - begin)

        async with line.gate:
            answered = await self._patiently(attempt, tokens)
        self.rate.settle(tokens, used(answered.value))
        return answered

    async def events(
        self, path: str, body: Mapping[str, object], *, tokens: int = 0
    ) -> AsyncGenerator[object, None]:
        """Send a body and read the events that come back, each as it comes, up to the last.

        Raises:
            CallError: none came after all attempts, or they were cut.
        """
        data, line = encode(body), self._line()
        async with line.gate:
            answer = await self._patiently(lambda left: self._begin(line, path, data), tokens)
            try:
                async with aclosing(events(self._parts(answer))) as found:
                    async for event in found:
                        event = self.endpoint.key.hide(event)  # a traceback shows locals
                        if event == DONE:
                            return
                        yield json.loads(event)
                return
            except (*NETWORK, OverflowError, ValueError, RecursionError) as error:
                fault = stream_fault(error, self.patience)
            finally:
                answer.close()
        raise self.failure(fault, 1)

    async def _begin(self, line: Line, path: str, data: bytes) -> aiohttp.ClientResponse | Setback:
        """One attempt to have an answer begin."""
        try:
            answer = await self._send(line, path, data, None)
            if answer.status == 200 and answer.content_type == "text/event-stream":
                return answer
            async with answer:
                fault = self._fault(answer, await self._content(answer))
        except NETWORK as error:
            return network_fault(error, self.patience)
        return fault or Setback(
            f"expected a stream of events, came {answer.content_type}; ask without streaming",
            final=True,
        )

    def failure(self, setback: Setback, attempts: int) -> CallError:
        """Our error for a call that failed for good; the key is not in it."""
        times = f"{attempts} times" if attempts != 1 else "once"
        text = f"no answer from {self.endpoint.url}, asked {times}: {setback.reason}"
        if not setback.final and attempts < self.patience.attempts:
            text += f"; the next turn is after the deadline of {self.patience.deadline:g} seconds"
        return CallError(self.endpoint.key.hide(text), attempts=attempts)

    async def close(self) -> None:
        """Give back the connections of this event loop."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.session.close()

    async def _patiently(
        self, attempt: Callable[[float], Awaitable[T | Setback]], tokens: int
    ) -> T:
        """Try until there is a value, the attempts or the time are spent, or it is hopeless."""
        if (wait := self.rate.claim(tokens)) > 0:
            await self.time.pause(wait)
        patience, now = self.patience, self.time.now
        ends, number, wait = now() + patience.deadline, 0, self._held()
        setback = Setback("another call was told to wait for longer")
        while number < patience.attempts and now() + wait < ends:
            if wait > 0:
                await self.time.pause(wait)
                if (wait := self._held()) > 0:
                    continue
            number += 1
            found = await attempt(ends - now())
            if not isinstance(found, Setback):
                return found
            setback, wait = found, pause_before(number, found, patience, self.generator)
            if setback.holds_all:
                self.rate.hold(wait)
            if setback.final or number == patience.attempts:
                break
            wait = max(wait, self.rate.held(), self.rate.claim(0))
        self.rate.settle(tokens, 0)
        raise self.failure(setback, number)

    def _held(self) -> float:
        """Seconds for which nobody may send, and a little more, so that not all begin at once."""
        held = self.rate.held()
        return held + self.generator.uniform(0, self.patience.first) if held else 0.0

    def _fault(self, answer: aiohttp.ClientResponse, content: bytes | None) -> Setback | None:
        """Why an answer is none, by its status and length."""
        if content is None:
            most = self.limits.answer_bytes
            return Setback(f"expected an answer of at most {most} bytes, came more", final=True)
        if answer.status == 200:
            return None
        told = told_wait(answer.headers, self.time.wall())
        location = self.endpoint.key.hide(answer.headers.get("Location", "nowhere"))
        return status_fault(answer.status, content, told, location)

    async def _content(self, answer: aiohttp.ClientResponse) -> bytes | None:
        """An answer's bytes; None where there are too many, and then the connection is closed."""
        try:
            content = b"".join([part async for part in self._parts(answer)])
            return self.endpoint.key.hide_bytes(content)
        except OverflowError:
            answer.close()
            return None

    async def _parts(self, answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        """An answer's bytes as they come; OverflowError where there are too many."""
        length, most = answer.content_length or 0, self.limits.answer_bytes
        if length > most:
            raise OverflowError
        length = 0
        async for part in answer.content.iter_any():
            length += len(part)
            if length > most:
                raise OverflowError
            yield part

    async def _send(
        self, line: Line, path: str, data: bytes, total: float | None
    ) -> aiohttp.ClientResponse:
        """One attempt; a redirect is not followed, so the key goes nowhere else."""
        patience = self.patience
        return await line.session.post(
            f"{self.endpoint.url}/{path}",
            data=data,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=total, sock_connect=patience.connect, sock_read=patience.stall
            ),
        )

    def _line(self) -> Line:
        """This event loop's connections."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            count = self.limits.concurrency
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=count),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=HEADERS | self.endpoint.key.headers(),
                auto_decompress=False,
            )
            line = self._lines[loop] = Line(session, asyncio.Semaphore(count))
        return line


def encode(body: Mapping[str, object]) -> bytes:
    """A body as JSON, every character kept."""
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def parse(content: bytes, read: Callable[[object], T | Setback]) -> T | Setback:
    """What ``read`` finds in JSON; a setback where it is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return Setback(f"expected JSON, came {shown(content)!r}")
    return read(found)
