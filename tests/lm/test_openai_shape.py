"""Bodies and answers beside those of the public ``openai`` package, on the same server."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming as ChatParams,
)
from openai.types.completion_create_params import (
    CompletionCreateParamsNonStreaming as CompletionParams,
)
from openai.types.create_embedding_response import CreateEmbeddingResponse
from pydantic import TypeAdapter

from afina.errors import CallError
from afina.lm.completion_shape import completion_body
from afina.lm.connection import Connection
from afina.lm.dialect import Dialect
from afina.lm.embedding import RemoteEmbedding, read_vectors
from afina.lm.endpoint import Endpoint, Key
from afina.lm.openai_shape import chat_body, read_chat
from afina.lm.remote import Kind, RemoteLM
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from tests.lm.server import Server, answers, chat, status

KEY = "sk-test-0123456789abcdef"
MESSAGES = (
    Message("system", ""),
    Message("user", 'é {"a": 1}\n\u2028'),
    Message("assistant", "0"),
    Message("user", "go"),
)
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
FORM = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
}
PLAIN = Request(MESSAGES, max_tokens=5)
SENT = [{"role": each.role, "content": each.content} for each in MESSAGES]
CASES: dict[str, tuple[Request, Dialect, dict[str, Any]]] = {
    "plain": (PLAIN, Dialect(), {"temperature": 0.0, "top_p": 1.0, "max_tokens": 5}),
    "sampled": (
        replace(PLAIN, temperature=0.7, top_p=0.9, stop=("\n", "###"), seed=0),
        Dialect(),
        {
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 5,
            "stop": ["\n", "###"],
            "seed": 0,
        },
    ),
    "schema": (
        replace(PLAIN, schema=json.dumps(SCHEMA)),
        Dialect(),
        {"temperature": 0.0, "top_p": 1.0, "max_tokens": 5, "response_format": FORM},
    ),
    "tools": (
        replace(PLAIN, tools=json.dumps(TOOLS)),
        Dialect(),
        {"temperature": 0.0, "top_p": 1.0, "max_tokens": 5, "tools": TOOLS},
    ),
    "scored": (
        replace(PLAIN, labels=("a", "b")),
        Dialect(labels="score"),
        {
            "temperature": 0.0,
            "top_p": 1.0,
            "max_tokens": 5,
            "logprobs": True,
            "top_logprobs": 20,
        },
    ),
    "newer": (
        PLAIN,
        Dialect("write", "max_completion_tokens", ("temperature", "top_p"), '{"store": false}'),
        {"max_completion_tokens": 5, "store": False},
    ),
}


def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=server.url, max_retries=0)


def remote(server: Server, kind: Kind = "chat", dialect: Dialect | None = None) -> RemoteLM:
    return RemoteLM("tiny", Connection(Endpoint(server.url, Key(KEY))), kind=kind, dialect=dialect)


def one(lm: RemoteLM, request: Request) -> Reply:
    async def whole() -> Reply:
        try:
            return await lm.answer(request)
        finally:
            await lm.close()

    return asyncio.run(whole())


@pytest.mark.parametrize("case", CASES)
def test_a_chat_is_asked_as_openais_client_asks_it(server: Server, case: str) -> None:
    request, dialect, arguments = CASES[case]
    reply = one(remote(server, "chat", dialect), request)
    with client(server) as theirs:
        found = theirs.chat.completions.create(model="tiny", messages=SENT, **arguments)
    ours, other = server.seen
    assert ours.body == other.body
    assert ours.path == other.path
    assert ours.headers["Authorization"] == other.headers["Authorization"] == f"Bearer {KEY}"
    assert ours.headers["Content-Type"] == other.headers["Content-Type"]
    assert reply.text == found.choices[0].message.content
    assert found.usage is not None
    assert (reply.read, reply.written) == (found.usage.prompt_tokens, found.usage.completion_tokens)


def test_a_completion_is_asked_as_openais_client_asks_it(server: Server) -> None:
    reply = one(remote(server, "completions"), replace(PLAIN, seed=0, stop=("\n",)))
    prompt = "\n\n".join(each.content for each in MESSAGES)
    with client(server) as theirs:
        found = theirs.completions.create(
            model="tiny",
            prompt=prompt,
            temperature=0.0,
            top_p=1.0,
            max_tokens=5,
            seed=0,
            stop=["\n"],
        )
    assert server.bodies[0] == server.bodies[1]
    assert server.seen[0].path == server.seen[1].path
    assert reply.text == found.choices[0].text


def test_vectors_are_asked_for_as_openais_client_asks(server: Server) -> None:
    ours = RemoteEmbedding("tiny", Connection(Endpoint(server.url)))(["a", "bcd"])
    with client(server) as theirs:
        found = theirs.embeddings.create(model="tiny", input=["a", "bcd"], encoding_format="float")
    assert server.bodies[0] == server.bodies[1]
    assert server.seen[0].path == server.seen[1].path
    by_place = sorted(found.data, key=lambda row: row.index)
    assert ours.tolist() == [row.embedding for row in by_place]


@pytest.mark.parametrize("case", CASES)
def test_openais_types_take_our_bodies(case: str) -> None:
    request, dialect, _ = CASES[case]
    TypeAdapter(ChatParams).validate_python(chat_body("tiny", request, dialect))
    if not request.schema and not request.tools:
        body = completion_body("tiny", request, replace(dialect, extra="{}"))
        TypeAdapter(CompletionParams).validate_python(body)


def test_openais_answers_are_read_with_all_their_fields() -> None:
    answer = chat("hello", refusal=None, annotations=[], audio=None)
    answer["choices"][0]["logprobs"] = {
        "content": [
            {
                "token": "a",
                "bytes": [97],
                "logprob": -0.25,
                "top_logprobs": [
                    {"token": "a", "bytes": None, "logprob": -0.25},
                    {"token": "b", "bytes": None, "logprob": -1.25},
                ],
            }
        ],
        "refusal": None,
    }
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": 3, "audio_tokens": 0}
    dumped = ChatCompletion.model_validate(answer).model_dump(mode="json")
    request = replace(PLAIN, labels=("a", "b"))
    heard = read_chat(dumped, request, Dialect(labels="score"))
    assert heard == read_chat(answer, request, Dialect(labels="score"))
    assert heard.text == "a"  # type: ignore[union-attr]
    assert (heard.tokens.read, heard.tokens.cached) == (11, 3)  # type: ignore[union-attr]
    assert heard.scores["b"] == pytest.approx(0.268941, abs=1e-6)  # type: ignore[union-attr]


def test_openais_vectors_are_read() -> None:
    rows = [{"object": "embedding", "index": 0, "embedding": [0.5, 1.5]}]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    answer = {"object": "list", "model": "tiny", "data": rows, "usage": usage}
    dumped = CreateEmbeddingResponse.model_validate(answer).model_dump(mode="json")
    found = read_vectors(dumped, ["a"])
    assert found.vectors.tolist() == [[0.5, 1.5]]  # type: ignore[union-attr]
    assert found.read == 2  # type: ignore[union-attr]


def test_the_servers_of_our_tests_speak_openais_shapes() -> None:
    ChatCompletion.model_validate(chat("hello"), strict=True)
    Completion.model_validate(
        {
            **chat(""),
            "object": "text_completion",
            "choices": [{"index": 0, "text": "", "finish_reason": "stop", "logprobs": None}],
        }
    )
    delta = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
    ChatCompletionChunk.model_validate(
        {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "tiny",
            "choices": [delta],
        }
    )


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_an_error_is_told_in_the_words_that_openais_client_shows(server: Server, code: int) -> None:
    words = {"error": {"message": "that is wrong", "type": "t", "param": None, "code": None}}
    server.always = status(code, json.dumps(words))
    with pytest.raises(CallError, match="that is wrong"):
        one(remote(server), PLAIN)
    server.always = answers(words)
    with pytest.raises(CallError, match="that is wrong"):
        one(hasty(server), PLAIN)


def hasty(server: Server) -> RemoteLM:
    lm = remote(server)
    patience = replace(lm.connection.patience, attempts=1)
    return RemoteLM("tiny", Connection(lm.connection.endpoint, patience=patience))
