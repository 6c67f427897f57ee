"""The rows of the journal: a call is reserved, then ends as done, failed or lost."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from afina.errors import ArtefactError
from afina.lm import ledger
from afina.lm.budget import amount_of
from afina.lm.ledger import Entry
from afina.lm.reply import Reply
from afina.lm.request import Request

LIVE = "SELECT number, state, reply FROM calls WHERE key = ? AND live"
RESERVE = """
    INSERT INTO calls (key, run, model, endpoint, identity, request, state, live, read, written,
        cost, seconds, attempts, reason, pid, start, begun)
    VALUES (?, ?, ?, ?, ?, ?, 'reserved', 1, ?, ?, ?, 0, 0, '', ?, ?, ?)
"""
BEFORE = "SELECT key, run, state, read, written, cost FROM calls WHERE number = ?"
END = """
    UPDATE calls SET state = ?, reply = ?, read = ?, written = ?, cost = ?, seconds = ?,
        attempts = ?, reason = ?, ended = ?
    WHERE number = ?
"""
LIVENESS = "UPDATE calls SET live = ? WHERE number = ?"


class Source(NamedTuple):
    """Whom an answer is from, and for what."""

    run: str
    model: str
    endpoint: str


@dataclass(frozen=True)
class Call:
    """A request to a model, for a run."""

    key: str
    identity: Mapping[str, str]
    request: Request
    source: Source


@dataclass(frozen=True)
class Ending:
    """How a call ended."""

    event: Literal["done", "failed", "lost"]
    took: Reply | None  # a done one's answer; None: nobody knows, so the most that was held
    attempts: int = 1
    reason: str = ""


def source_of(identity: Mapping[str, str], run: str) -> Source:
    """The source of a model's answers.

    >>> source_of({"provider": "openai", "name": "m", "endpoint": "http://127.0.0.1:1/v1"}, "a")
    Source(run='a', model='openai:m', endpoint='http://127.0.0.1:1/v1')
    """
    names = (identity.get("provider"), identity.get("name"))
    return Source(run, ":".join(filter(None, names)), identity.get("endpoint", ""))


def reserve(
    connection: sqlite3.Connection, call: Call, most: Reply, *, owner: tuple[int, str], now: float
) -> int:
    """Begin a call, which counts as the most it can take until it ends; its number."""
    texts = (json.dumps(dict(call.identity)), json.dumps(call.request.content()))
    amounts = (most.read, most.written, most.cost)
    cursor = connection.execute(RESERVE, (call.key, *call.source, *texts, *amounts, *owner, now))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def end(connection: sqlite3.Connection, number: int, ending: Ending, *, now: float) -> bool:
    """End a call and settle what it held; whether its answer, if it has one, is kept.

    A call that was given up may still end otherwise. Its answer is kept if no other call of the
    key is under way or done.
    """
    key, run, state, *columns = connection.execute(BEFORE, (number,)).fetchone()
    held = Reply("", read=columns[0], written=columns[1], cost=columns[2])
    took = held if ending.took is None else ending.took
    before, spent = amount_of(held), amount_of(took)
    if took.cost is None:
        spent = replace(spent, picodollars=before.picodollars)
    was = ledger.last(connection, run)
    settled, reserved = was.settled + spent, was.reserved
    if state == "reserved":
        reserved -= before
    else:
        settled -= before
    ledger.post(
        connection, Entry(run, was.number + 1, number, ending.event, now, settled, reserved)
    )
    live = ending.event == "done" and (
        state == "reserved" or connection.execute(LIVE, (key,)).fetchone() is None
    )
    if live != (state == "reserved"):
        connection.execute(LIVENESS, (1 if live else None, number))
    after = ending.event if live or ending.event != "done" else "forgotten"
    text = encode(took) if live else None
    amounts = (took.read, took.written, took.cost, took.seconds)
    told = (ending.attempts, ending.reason.encode(errors="backslashreplace").decode(), now)
    connection.execute(END, (after, text, *amounts, *told, number))
    return live


def encode(reply: Reply) -> str:
    """A reply as JSON; any text survives, also half of a surrogate pair."""
    content = {**vars(reply), "scores": dict(reply.scores)}
    del content["replayed"]
    return json.dumps(content)


def decode(text: str) -> Reply:
    """A reply as it is replayed.

    Raises:
        ArtefactError: it cannot be read.
    """
    try:
        return Reply(**json.loads(text), replayed=True)
    except (ValueError, TypeError) as error:
        raise ArtefactError(
            f"expected a reply that the journal keeps, got {text[:80]!r}; the file is damaged: move"
            " it away, and a new one is begun"
        ) from error
