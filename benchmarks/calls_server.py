"""A server of OpenAI's chat on loopback: the last turn backwards, after the delay in the address.

``python -m benchmarks.calls_server`` prints its address. ``/DELAY/v1/chat/completions`` answers
after DELAY milliseconds, ``/count`` tells how many answers were given since it was last asked. It
is written on asyncio's protocols, so that it takes little of the machine. It ends with its input.
"""

import asyncio
import json
import sys
from collections.abc import Mapping


class Session(asyncio.Protocol):
    """One connection; requests come one after another."""

    answered = 0

    def __init__(self) -> None:
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            line, *rest = self.data[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (r.partition(": ") for r in rest)}
            begin = end + 4
            length = int(headers.get("content-length", 0))
            if len(self.data) < begin + length:
                return
            body, self.data = self.data[begin : begin + length], self.data[begin + length :]
            self.answer(line.split(" ")[1], body)

    def answer(self, path: str, body: bytes) -> None:
        """Answer now, or when the delay is over."""
        if path == "/count":
            self.write({"count": Session.answered})
            Session.answered = 0
            return
        Session.answered += 1
        milliseconds = int(path.split("/")[1])
        text = json.loads(body)["messages"][-1]["content"][::-1]
        if milliseconds:
            asyncio.get_running_loop().call_later(milliseconds / 1000, self.write, chat(text))
        else:
            self.write(chat(text))

    def write(self, answer: Mapping[str, object]) -> None:
        """Send an answer, if anybody is there."""
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        if not self.transport.is_closing():
            self.transport.write(f"{head}\r\n\r\n".encode() + body)


def chat(text: str) -> dict[str, object]:
    """An answer as OpenAI gives it."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 8, "total_tokens": 108},
    }


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Session, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    gone = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), gone.set)
    await gone.wait()


if __name__ == "__main__":
    asyncio.run(serve())
