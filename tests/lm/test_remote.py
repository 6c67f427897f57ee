import asyncio
import json
from dataclasses import replace

import pytest

from afina.errors import CallError, InputError, ModelError
from afina.lm.connection import Connection
from afina.lm.dialect import Dialect
from afina.lm.endpoint import Endpoint
from afina.lm.lm import LM, ask
from afina.lm.prices import Price
from afina.lm.rate import Limits
from afina.lm.remote import RemoteLM
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.retry import Patience
from tests.lm.server import Server, answers, chat

LABELS = ("positive", "negative")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def remote(server: Server, **settings: object) -> RemoteLM:
    return RemoteLM("tiny", Connection(Endpoint(server.url)), **settings)  # type: ignore[arg-type]


def said(text: str) -> Request:
    return Request((Message("system", "be brief"), Message("user", text)))


def one(lm: LM, request: Request) -> Reply:
    (found,) = ask(lm, [request])
    assert isinstance(found, Reply), found
    return found


def test_a_reply_has_its_text_tokens_and_cost(server: Server) -> None:
    lm = remote(server, price=Price(1.0, 2.0))
    assert isinstance(lm, LM)
    reply = one(lm, said("abc"))
    assert reply == Reply("cba", "stop", 11, 7, pytest.approx(25e-6), reply.seconds)
    assert 0 < reply.seconds < 10
    assert server.seen[0].path == "/v1/chat/completions"


def test_many_requests_are_answered_in_order_and_again_in_another_loop(server: Server) -> None:
    lm = remote(server)
    for _ in range(2):
        replies = ask(lm, [said(f"number {each}") for each in range(50)])
        assert [r.text for r in replies if isinstance(r, Reply)] == [
            f"number {each}"[::-1] for each in range(50)
        ]


def test_two_loops_at_once_have_their_own_connections(server: Server) -> None:
    lm = remote(server)

    async def outer() -> list[Reply | Missing]:
        first = await lm.answer(said("ab"))
        inner = ask(lm, [said("cd")])
        last = await lm.answer(said("ef"))
        await lm.close()
        return [first, *inner, last]

    found = asyncio.run(outer())
    assert [each.text for each in found if isinstance(each, Reply)] == ["ba", "dc", "fe"]


def test_connections_are_kept_and_no_more_are_open_than_allowed(server: Server) -> None:
    ports, tally = set(), {"now": 0, "most": 0}

    async def counting(request, body):  # type: ignore[no-untyped-def]
        ports.add(request.transport.get_extra_info("peername")[1])
        tally["now"] += 1
        tally["most"] = max(tally["most"], tally["now"])
        await asyncio.sleep(0.001)
        tally["now"] -= 1
        return await answers(chat("ok"))(request, body)

    server.always = counting

    lm = RemoteLM("tiny", Connection(Endpoint(server.url), limits=Limits(concurrency=3)))
    ask(lm, [said("x")] * 40)
    assert tally["most"] == 3
    assert len(ports) == 3


def test_falsy_settings_arrive_unchanged(server: Server) -> None:
    request = Request(
        (Message("system", ""), Message("user", "")), temperature=0.0, seed=0, stop=("",)
    )
    one(remote(server, dialect=Dialect(extra='{"store": false, "user": "", "n_": 0}')), request)
    assert server.bodies == [
        {
            "model": "tiny",
            "messages": [{"role": "system", "content": ""}, {"role": "user", "content": ""}],
            "temperature": 0.0,
            "top_p": 1.0,
            "max_tokens": 256,
            "stop": [""],
            "seed": 0,
            "store": False,
            "user": "",
            "n_": 0,
        }
    ]


def test_what_was_not_set_is_not_sent(server: Server) -> None:
    one(remote(server), said("a"))
    assert set(server.bodies[0]) == {"model", "messages", "temperature", "top_p", "max_tokens"}


@pytest.mark.parametrize("text", ["é 漢字 😀", "\x00\x1f\u2028", '"\\', "\ud83d", "<|im_start|>"])
def test_any_text_arrives_as_it_is(server: Server, text: str) -> None:
    one(remote(server), said(text))
    assert server.bodies[0]["messages"][1]["content"] == text


def test_a_dialect_renames_omits_and_adds_fields(server: Server) -> None:
    dialect = Dialect(
        limit="max_completion_tokens", omit=("temperature",), extra='{"reasoning_effort": "low"}'
    )
    one(remote(server, dialect=dialect), replace(said("a"), max_tokens=5))
    body = server.bodies[0]
    assert body["max_completion_tokens"] == 5
    assert body["reasoning_effort"] == "low"
    assert "temperature" not in body
    assert "max_tokens" not in body


@pytest.mark.parametrize("extra", ["", "[]", "{", '{"model": "other"}', '{"stream": true}'])
def test_further_fields_that_are_none_or_ours_are_refused(extra: str) -> None:
    with pytest.raises(InputError, match="expected further fields as a JSON object"):
        Dialect(extra=extra)


def test_a_schema_binds_the_answer(server: Server) -> None:
    one(remote(server), replace(said("a"), schema=json.dumps(SCHEMA)))
    assert server.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }
    with pytest.raises(ModelError, match="expected the schema of a request as JSON"):
        ask(remote(server), [replace(said("a"), schema="{")])


def test_labels_are_written_freely_unless_the_server_can_do_more(server: Server) -> None:
    request = replace(said("a"), labels=LABELS)
    one(remote(server), request)
    assert "response_format" not in server.bodies[0]
    server.script = [answers(chat('{"label": "negative"}'))]
    reply = one(remote(server, dialect=Dialect(labels="schema")), request)
    assert reply.text == "negative"
    form = server.bodies[1]["response_format"]["json_schema"]
    assert form["schema"]["properties"]["label"]["enum"] == list(LABELS)


def test_a_label_that_was_not_wrapped_is_kept_as_it_came(server: Server) -> None:
    server.script = [answers(chat("negative"))]
    lm = remote(server, dialect=Dialect(labels="schema"))
    assert one(lm, replace(said("a"), labels=LABELS)).text == "negative"


def test_labels_are_scored_from_the_likeliest_tokens(server: Server) -> None:
    answer = chat("negative")
    top = [("neg", -0.5), ("pos", -1.5), ("!", -3.0)]
    answer["choices"][0]["logprobs"] = {
        "content": [
            {
                "token": "neg",
                "logprob": -0.5,
                "top_logprobs": [{"token": each, "logprob": value} for each, value in top],
            }
        ]
    }
    server.script = [answers(answer)]
    reply = one(remote(server, dialect=Dialect(labels="score")), replace(said("a"), labels=LABELS))
    assert (server.bodies[0]["logprobs"], server.bodies[0]["top_logprobs"]) == (True, 20)
    assert reply.text == "negative"
    assert reply.scores == pytest.approx({"positive": 0.268941, "negative": 0.731059}, abs=1e-6)


def test_without_log_probabilities_there_are_no_scores(server: Server) -> None:
    server.script = [answers(chat("negative"))]
    reply = one(remote(server, dialect=Dialect(labels="score")), replace(said("a"), labels=LABELS))
    assert (reply.text, reply.scores) == ("negative", {})


def test_calls_of_tools_come_as_json(server: Server) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "é"}'}}
    server.script = [answers(chat("well", tool_calls=[call]))]
    reply = one(remote(server), replace(said("a"), tools=json.dumps([TOOL])))
    assert server.bodies[0]["tools"] == [TOOL]
    assert reply.finish == "tools"
    assert reply.text == (
        '{"content": "well", "tool_calls": [{"name": "look", "arguments": {"at": "é"}}]}'
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "filter"), (None, "stop")],
)
def test_it_is_told_why_a_text_ends(server: Server, reason: str | None, finish: str) -> None:
    answer = chat("a")
    answer["choices"][0]["finish_reason"] = reason
    server.script = [answers(answer)]
    assert one(remote(server), said("a")).finish == finish


def test_a_refusal_and_an_empty_text_are_answers(server: Server) -> None:
    server.script = [answers(chat("", refusal="no")), answers(chat(""))]
    empty = chat("")
    empty["choices"][0]["message"]["content"] = None
    server.script.append(answers(empty))
    lm = remote(server)
    assert [(one(lm, said("a")).text, one(lm, said("a")).text, one(lm, said("a")).text)] == [
        ("no", "", "")
    ]


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_tokens_that_the_server_did_not_count_are_estimated_and_marked(
    server: Server, usage: object
) -> None:
    answer = chat("123456789!")
    answer["usage"] = usage
    server.script = [answers(answer)]
    reply = one(remote(server, price=Price(1.0, 1.0)), Request((Message("user", "abcdefgh"),)))
    assert (reply.read, reply.written, reply.estimated) == (3 + 4, 4, True)
    assert reply.cost == pytest.approx(11e-6)


def test_cached_tokens_have_their_price(server: Server) -> None:
    answer = chat("a")
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": 10}
    server.script = [answers(answer)]
    reply = one(remote(server, price=Price(1.0, 2.0, cached=0.1)), said("a"))
    assert reply.cost == pytest.approx((1 + 1 + 14) * 1e-6)


def test_no_request_takes_more_than_the_most_that_it_can(server: Server) -> None:
    request = replace(said("漢字 x"), max_tokens=9, schema="{}", tools="[]")
    most = remote(server, price=Price(1.0, 1.0)).most(request)
    assert (most.read, most.written) == (8 + 8 + 2 + 2 + 3 * 16, 9)
    assert most.cost == pytest.approx((most.read + 9) * 1e-6)
    assert remote(server).most(request).cost is None


def test_a_base_model_goes_on_with_the_text(server: Server) -> None:
    lm = remote(server, kind="completions")
    reply = one(lm, replace(said("abc"), seed=0, stop=("\n",)))
    assert server.seen[0].path == "/v1/completions"
    assert server.bodies[0] == {
        "model": "tiny",
        "prompt": "be brief\n\nabc",
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 256,
        "stop": ["\n"],
        "seed": 0,
    }
    assert (reply.text, reply.read, reply.written) == ("cba\n\nfeirb eb", 11, 7)


def test_a_base_model_scores_labels_behind_the_text(server: Server) -> None:
    def echoed(index: int, label: str, *logprobs: float) -> dict[str, object]:
        tokens = ["a", "b:", f" {label[:3]}", label[3:]]
        offsets = [0, 1, 3, 7]
        return {
            "index": index,
            "text": f"ab: {label}",
            "finish_reason": "length",
            "logprobs": {
                "tokens": tokens,
                "token_logprobs": [None, -9.0, *logprobs],
                "text_offset": offsets,
            },
        }

    choices = [echoed(1, "negative", -2.0, -0.5), echoed(0, "positive", -1.0, -0.5)]
    usage = {"prompt_tokens": 8, "completion_tokens": 0}
    server.script = [answers({"choices": choices, "usage": usage})]
    lm = remote(server, kind="completions", dialect=Dialect(labels="score"))
    request = Request((Message("user", "ab:"),), labels=LABELS)
    reply = one(lm, request)
    body = server.bodies[0]
    assert body["prompt"] == ["ab: positive", "ab: negative"]
    assert (body["echo"], body["max_tokens"], body["logprobs"]) == (True, 0, 1)
    assert reply.text == "positive"
    assert reply.scores == pytest.approx({"positive": 0.731059, "negative": 0.268941}, abs=1e-6)
    assert lm.most(request).read >= 8


def test_a_base_model_takes_no_schema_and_no_tools(server: Server) -> None:
    lm = remote(server, kind="completions")
    for request in (replace(said("a"), schema="{}"), replace(said("a"), tools="[]")):
        with pytest.raises(ModelError, match="takes no schema and no tools"):
            ask(lm, [request])
    assert server.seen == []


def test_the_identity_tells_all_that_decides_an_answer(server: Server) -> None:
    lm = remote(server)
    others = [
        lm,
        RemoteLM("other", lm.connection),
        RemoteLM("tiny", Connection(Endpoint("https://host/v1"))),
        remote(server, kind="completions"),
        remote(server, dialect=Dialect(labels="score")),
        remote(server, dialect=Dialect(extra='{"reasoning_effort": "low"}')),
    ]
    assert len({said("a").key(each.identity) for each in others}) == len(others)
    assert remote(server, price=Price(1, 1)).identity == lm.identity


def test_an_endpoint_that_is_down_is_told_with_its_address() -> None:

    patience = Patience(attempts=2, first=0.001)
    lm = RemoteLM("tiny", Connection(Endpoint("http://127.0.0.1:9/v1"), patience=patience))
    with pytest.raises(CallError, match=r"http://127.0.0.1:9/v1, asked 2 times: no connection"):
        asyncio.run(closing(lm))


async def closing(lm: RemoteLM) -> Reply:
    try:
        return await lm.answer(said("a"))
    finally:
        await lm.close()
