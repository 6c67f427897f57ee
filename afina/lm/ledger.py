"""The journal's ledger: what is spent and what is held for calls under way, after every event."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from afina.errors import BudgetError
from afina.lm.budget import NOTHING, Amount, Budget

Event = Literal["reserved", "done", "failed", "lost"]
COLUMNS = """
    run, number, call, event, at, settled_calls, settled_tokens, settled_picodollars,
    reserved_calls, reserved_tokens, reserved_picodollars
"""
LAST = f"SELECT {COLUMNS} FROM ledger WHERE run = ? ORDER BY number DESC LIMIT 1"
FIRST = "SELECT at FROM ledger WHERE run = ? AND number = 1"
ENTRIES = f"SELECT {COLUMNS} FROM ledger WHERE run = ? ORDER BY number"
POST = f"INSERT INTO ledger ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Entry:
    """One event of a run, with all that the run has spent and holds after it."""

    run: str
    number: int
    call: int
    event: Event
    at: float  # seconds since 1970
    settled: Amount
    reserved: Amount


def entries(connection: sqlite3.Connection, run: str) -> list[Entry]:
    """Every event of a run, oldest first."""
    return [entry_of(row) for row in connection.execute(ENTRIES, (run,))]


def last(connection: sqlite3.Connection, run: str) -> Entry:
    """The last event of a run, or one of nothing before the first."""
    row = connection.execute(LAST, (run,)).fetchone()
    return Entry(run, 0, 0, "done", 0.0, NOTHING, NOTHING) if row is None else entry_of(row)


def entry_of(row: tuple[Any, ...]) -> Entry:  # Any: as SQLite gives it
    """An event as it is kept."""
    run, number, call, event, at, *sums = row
    return Entry(run, number, call, event, at, Amount(*sums[:3]), Amount(*sums[3:]))


def check_time(connection: sqlite3.Connection, run: str, budget: Budget, now: float) -> None:
    """Refuse a call after the time of a budget.

    Raises:
        BudgetError: the time is over.
    """
    if budget.seconds is None:
        return
    row = connection.execute(FIRST, (run,)).fetchone()
    gone = 0.0 if row is None else now - row[0]
    if gone >= budget.seconds:
        raise BudgetError(
            f"expected at most {budget.seconds:g} seconds of the wall clock: {gone:.0f} have gone"
            " by since the first call; nothing was sent; raise the budget and run again"
        )


def post(connection: sqlite3.Connection, entry: Entry) -> None:
    """Add an event."""
    settled, reserved = entry.settled, entry.reserved
    sums = (
        *(settled.calls, settled.tokens, settled.picodollars),
        *(reserved.calls, reserved.tokens, reserved.picodollars),
    )
    connection.execute(POST, (entry.run, entry.number, entry.call, entry.event, entry.at, *sums))
