"""The shapes of OpenAI's older completions, for base models that go on with a text.

https://platform.openai.com/docs/api-reference/completions/create
"""

from typing import Any

from afina.errors import ModelError
from afina.lm.dialect import Dialect
from afina.lm.label_scores import likely_scores
from afina.lm.openai_shape import FAULTY, Heard, counted, ended, logarithm, no_answer, sampling
from afina.lm.request import Request
from afina.lm.retry import Setback


def completion_body(name: str, request: Request, dialect: Dialect) -> dict[str, object]:
    """A request as ``/completions`` takes it; labels to score stand each behind the text.

    Raises:
        ModelError: it has a schema or tools, which this address does not know.
    """
    if request.schema or request.tools:
        raise ModelError(
            f"{name!r} is asked as a base model, which takes no schema and no tools; ask for it as "
            f"openai:{name}"
        )
    body: dict[str, object] = {"model": name, "prompt": text_of(request)}
    if scored(request, dialect):
        body["prompt"] = [text_of(request) + tail(request, label) for label in request.labels]
        whole = {"echo": True, "logprobs": 1, dialect.limit: 0, "temperature": 0.0}
        return dialect.apply(body | whole)
    return dialect.apply(body | sampling(request, dialect))


def text_of(request: Request) -> str:
    """The turns as one text, an empty line between them."""
    return "\n\n".join(each.content for each in request.messages)


def tail(request: Request, label: str) -> str:
    """A label as it stands behind the text: after a blank."""
    return label if text_of(request)[-1:].isspace() else f" {label}"


def scored(request: Request, dialect: Dialect) -> bool:
    """Whether labels are scored rather than written."""
    return bool(request.labels) and dialect.labels == "score"


def read_completion(data: Any, request: Request, dialect: Dialect) -> Heard | Setback:  # Any: JSON
    """What a completion says."""
    try:
        if scored(request, dialect):
            return read_scores(data, request)
        choice = data["choices"][0]
        if not isinstance(choice["text"], str):
            raise TypeError("no text")
        return Heard(choice["text"], ended(choice), counted(data))
    except FAULTY:
        return no_answer(data)


def read_scores(data: Any, request: Request) -> Heard:  # Any: JSON as it came
    """The labels' probabilities, and the best of them as the text."""
    start = len(text_of(request))
    choices = sorted(data["choices"], key=lambda choice: int(choice["index"]))
    found = [behind(choice["logprobs"], start) for choice in choices]
    scores = likely_scores(dict(zip(request.labels, found, strict=True)))
    return Heard(max(scores, key=scores.__getitem__), "stop", counted(data), scores)


def behind(logprobs: Any, start: int) -> float:  # Any: JSON as it came
    """The log-probability of all tokens that reach behind a character of the text."""
    places = zip(
        logprobs["tokens"], logprobs["token_logprobs"], logprobs["text_offset"], strict=True
    )
    return sum(logarithm(each) for token, each, offset in places if offset + len(token) > start)
