"""What was spent on language models, a line a run and model."""

import sqlite3
from dataclasses import dataclass

LINES = """
    SELECT run, model, endpoint, sum(calls), sum(failed), sum(lost), sum(under_way), sum(kept),
        sum(replays), sum(read), sum(written), sum(cost), sum(unpriced), sum(seconds)
    FROM (
        SELECT run, model, endpoint, 1 AS calls, state = 'failed' AS failed,
            state = 'lost' AS lost, state = 'reserved' AS under_way, state = 'done' AS kept,
            0 AS replays, read, written, coalesce(cost, 0.0) AS cost, cost IS NULL AS unpriced,
            seconds
        FROM calls
        UNION ALL
        SELECT run, model, endpoint, 0, 0, 0, 0, 0, replays, 0, 0, 0.0, 0, 0.0 FROM replays
    )
    GROUP BY run, model, endpoint ORDER BY run, model, endpoint
"""


@dataclass(frozen=True)
class Line:
    """What one run took of one model; calls lost or under way count as the most they can take."""

    run: str
    model: str
    endpoint: str
    calls: int = 0
    failed: int = 0  # of the calls
    lost: int = 0  # of the calls: their process died, and nobody knows how they ended
    under_way: int = 0  # of the calls
    kept: int = 0  # answers that can be replayed
    replays: int = 0
    read: int = 0  # tokens
    written: int = 0  # tokens
    cost: float = 0.0  # dollars
    unpriced: int = 0  # calls without a known price; the cost is without them
    seconds: float = 0.0  # of the calls, summed


def account(connection: sqlite3.Connection) -> list[Line]:
    """All lines, by run and model."""
    return [Line(*row) for row in connection.execute(LINES)]
