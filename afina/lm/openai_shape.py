"""The shapes of OpenAI's chat: what is sent, and what is read of what comes back.

https://platform.openai.com/docs/api-reference/chat/create
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afina.errors import ModelError
from afina.lm.dialect import Dialect
from afina.lm.faults import clean
from afina.lm.label_scores import Step, written_scores
from afina.lm.request import Request
from afina.lm.retry import Setback
from afina.lm.tokens import Tokens

TOP = 20  # alternatives that a server gives at a place, at most
FINISH = {
    "stop": "stop",
    "length": "length",
    "content_filter": "filter",
    "tool_calls": "tools",
    "function_call": "tools",
}
FAULTY = (LookupError, TypeError, ValueError, AttributeError)  # of a shape that is none


@dataclass(frozen=True)
class Heard:
    """What an answer says; ``tokens`` is None where the server did not count."""

    text: str
    finish: str
    tokens: Tokens | None
    scores: Mapping[str, float] = field(default_factory=dict)


def chat_body(name: str, request: Request, dialect: Dialect) -> dict[str, object]:
    """A request as ``/chat/completions`` takes it.

    Raises:
        ModelError: its schema or tools are no JSON.
    """
    body: dict[str, object] = {
        "model": name,
        "messages": [{"role": each.role, "content": each.content} for each in request.messages],
        **sampling(request, dialect),
    }
    if request.schema:
        body["response_format"] = fitting(read_json("schema", request.schema))
    elif request.labels and dialect.labels == "schema":
        body["response_format"] = fitting(label_schema(request))
    elif request.labels and dialect.labels == "score":
        body |= {"logprobs": True, "top_logprobs": TOP}
    if request.tools:
        body["tools"] = read_json("tools", request.tools)
    return dialect.apply(body)


def sampling(request: Request, dialect: Dialect) -> dict[str, object]:
    """How the answer is drawn; what was not set is not sent."""
    fields: dict[str, object] = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        dialect.limit: request.max_tokens,
    }
    if request.stop:
        fields["stop"] = list(request.stop)
    if request.seed is not None:
        fields["seed"] = request.seed
    return fields


def fitting(schema: object) -> dict[str, object]:
    """The field that binds an answer to a schema."""
    form = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": form}


def label_schema(request: Request) -> dict[str, object]:
    """A schema that only the labels fit; servers want an object outside."""
    return {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(request.labels)}},
        "required": ["label"],
        "additionalProperties": False,
    }


def read_json(what: str, text: str) -> object:
    """What a field of a request holds.

    Raises:
        ModelError: it is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise ModelError(f"expected the {what} of a request as JSON, came {text!r}") from error


def read_chat(data: Any, request: Request, dialect: Dialect) -> Heard | Setback:  # Any: JSON
    """What a chat answer says."""
    try:
        choice = data["choices"][0]
        text, finish = spoken(choice["message"])
        scores: dict[str, float] = {}
        if request.labels and not request.schema:
            match dialect.labels:
                case "schema":
                    text = unwrapped(text)
                case "score":
                    scores = written_scores(steps(choice), request.labels)
        best = max(scores, key=scores.__getitem__) if scores else text
        return Heard(best, finish or ended(choice), counted(data), scores)
    except FAULTY:
        return no_answer(data)


def spoken(message: Any) -> tuple[str, str]:  # Any: JSON as it came
    """A turn's text, and why it ended where the turn itself says so.

    A refusal is a text that a filter ended. Calls of tools are JSON with the text beside them.
    """
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    if not isinstance(content, str):
        raise TypeError(f"expected a text, came {content!r}")
    if calls := message.get("tool_calls"):
        made = {"content": content, "tool_calls": [called(each["function"]) for each in calls]}
        return json.dumps(made, ensure_ascii=False), "tools"
    if refusal := message.get("refusal"):
        return str(refusal), "filter"
    return content, ""


def called(function: Any) -> dict[str, object]:  # Any: JSON as it came
    """A call of a tool; arguments that are no JSON stay the text they are."""
    arguments = function["arguments"]
    try:
        return {"name": function["name"], "arguments": json.loads(arguments)}
    except ValueError:
        return {"name": function["name"], "arguments": arguments}


def unwrapped(text: str) -> str:
    """The label in the object that servers want outside; a text that is none stays as it is."""
    try:
        return str(json.loads(text)["label"])
    except FAULTY:
        return text


def ended(choice: Mapping[str, object]) -> str:
    """Why a text ends, in our words."""
    return FINISH.get(str(choice.get("finish_reason")), "stop")


def steps(choice: Any) -> list[Step]:  # Any: JSON as it came
    """The tokens written, with the likeliest at each place; none where the server gave none."""
    content = (choice.get("logprobs") or {}).get("content") or []
    return [
        Step(
            each["token"],
            logarithm(each["logprob"]),
            [(other["token"], logarithm(other["logprob"])) for other in each["top_logprobs"]],
        )
        for each in content
    ]


def logarithm(value: Any) -> float:  # Any: JSON as it came
    """A log-probability; raises ValueError where it is none."""
    number = float(value)
    if math.isnan(number) or number > 1e-6:
        raise ValueError(f"expected a log-probability, came {value!r}")
    return min(number, 0.0)


def counted(data: Any) -> Tokens | None:  # Any: JSON as it came
    """The tokens that the server counted; None where it did not."""
    usage = data.get("usage")
    if not isinstance(usage, dict):
        return None
    cached = whole((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
    read, written = whole(usage.get("prompt_tokens")), whole(usage.get("completion_tokens", 0))
    if read is None or written is None:
        return None
    return Tokens(read, written, min(cached or 0, read))


def whole(value: object) -> int | None:
    """A count; None where a value counts nothing."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def no_answer(data: object) -> Setback:
    """What stands where an answer was expected: an error, or another shape."""
    error = data.get("error") if isinstance(data, dict) else None
    if error is not None:
        words = clean(json.dumps(error, ensure_ascii=False))
        return Setback(f"it answered with an error: {words}")
    words = clean(json.dumps(data, ensure_ascii=False))
    return Setback(f"expected an answer of OpenAI's shape, came {words}")
