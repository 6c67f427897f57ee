"""What went wrong with an attempt, in words that say what to do."""

import json

import aiohttp

from afina.lm.retry import Patience, Setback, again

SHOWN = 300  # characters of a server's words
SPENT = {"insufficient_quota", "billing_hard_limit_reached"}  # OpenAI's: waiting does not help
FULL = {429, 503}
ADVICE = {
    400: "it takes no such request; leave out what it names, or set its dialect",
    401: "it refuses the key; set OPENAI_API_KEY or the key file to one of this endpoint",
    402: "it wants money; look at the account",
    403: "this key may not do that; look at the account's rights, or take another key",
    404: "it has no such model or address; look at the model's name and the base URL (its /v1)",
    413: "the request is too long for it; send less",
    422: "it takes no such request; leave out what it names, or set its dialect",
}


def status_fault(status: int, content: bytes, told: float | None, location: str) -> Setback:
    """Why an answer with this status is none."""
    words, code = said(content)
    if code in SPENT:
        return Setback(f"the account's money is spent ({status}): {words!r}", final=True)
    if 300 <= status < 400:
        return Setback(
            f"it sends us on to {location[:SHOWN]!r} ({status}), where the key shall not go; "
            "if that is the endpoint, set it as the base URL",
            final=True,
        )
    if again(status):
        return Setback(f"status {status}, {words!r}", told=told, holds_all=status in FULL)
    advice = ADVICE.get(status, "expected status 200")
    return Setback(f"{advice} (status {status}, {words!r})", final=True)


def network_fault(error: aiohttp.ClientError | OSError, patience: Patience) -> Setback:
    """Why the network gave nothing; the error itself is not kept, for it carries the key."""
    match error:
        case aiohttp.ClientSSLError():
            return Setback("its certificate cannot be trusted; look at the base URL", final=True)
        case aiohttp.ConnectionTimeoutError():
            return Setback(f"no connection within {patience.connect:g} seconds")
        case aiohttp.SocketTimeoutError():
            return Setback(f"no byte for {patience.stall:g} seconds")
        case TimeoutError():
            return Setback(f"no whole answer by the deadline of {patience.deadline:g} seconds")
        case aiohttp.ClientConnectorError():
            return Setback(f"no connection ({error.strerror}); is it up, and the base URL right?")
        case aiohttp.ClientPayloadError():
            return Setback("the answer was cut short")
        case aiohttp.ClientResponseError():
            return Setback("what came is no HTTP")
        case _:
            return Setback("the connection was lost")


def stream_fault(error: Exception, patience: Patience) -> Setback:
    """Why a stream that had begun broke off."""
    match error:
        case aiohttp.ClientError() | OSError():
            reason = network_fault(error, patience).reason
        case OverflowError():
            reason = "more came than is allowed"
        case _:
            reason = "what came is no JSON"
    return Setback(f"the stream broke off: {reason}", final=True)


def said(content: bytes) -> tuple[str, str]:
    """A server's words about an error, and its code for it where it gave one."""
    try:
        error = json.loads(content)["error"]
        message, code = error["message"], error.get("code")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return shown(content), ""
    return clean(str(message)), str(code)


def shown(content: bytes) -> str:
    """The beginning of what came, on one line."""
    return clean(content[: 4 * SHOWN].decode(errors="replace"))


def clean(text: str) -> str:
    """The beginning of a text, without what would move a terminal's cursor."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:SHOWN]
