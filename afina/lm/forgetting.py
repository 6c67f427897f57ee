"""Which calls the journal shall forget."""

import difflib
import sqlite3
from dataclasses import dataclass

from afina.errors import InputError

DAY_SECONDS = 86_400.0
FORGET = """
    UPDATE calls
    SET state = CASE state WHEN 'done' THEN 'forgotten' ELSE state END,
        live = NULL, request = NULL, reply = NULL, reason = ''
    WHERE state != 'reserved' AND request IS NOT NULL
        AND (:model IS NULL OR model = :model)
        AND (:run IS NULL OR run = :run)
        AND (:before IS NULL OR begun < :before)
        AND (NOT :failed OR state IN ('failed', 'lost'))
"""
FORGET_VECTORS = """
    DELETE FROM vectors
    WHERE call IN (SELECT key FROM calls WHERE request IS NULL)
        AND call NOT IN (SELECT key FROM calls WHERE live)
"""


@dataclass(frozen=True)
class Selection:
    """The calls that fit all that is given.

    Raises:
        InputError: nothing is given.
    """

    model: str | None = None  # as the account names it: provider:name
    run: str | None = None
    older_than: float | None = None  # days
    failed: bool = False  # only calls that have no answer

    def __post_init__(self) -> None:
        if (self.model, self.run, self.older_than, self.failed) == (None, None, None, False):
            raise InputError(
                "expected a choice of what to forget, got none; name a model, a run, an age in days"
                " or the failed calls"
            )
        if self.older_than is not None and not self.older_than >= 0:
            raise InputError(
                f"expected an age of at least 0 days, got {self.older_than!r}; give another"
            )


def forget(connection: sqlite3.Connection, selection: Selection, *, now: float) -> int:
    """Erase texts and vectors of the calls that fit, but for those under way; how many they were.

    Raises:
        InputError: no call is of such a model or run.
    """
    for column, name in (("model", selection.model), ("run", selection.run)):
        if name is not None:
            check_known(connection, column, name)
    days = selection.older_than
    values = {
        "model": selection.model,
        "run": selection.run,
        "before": None if days is None else now - days * DAY_SECONDS,
        "failed": selection.failed,
    }
    count = connection.execute(FORGET, values).rowcount
    connection.execute(FORGET_VECTORS)
    return count


def check_known(connection: sqlite3.Connection, column: str, name: str) -> None:
    """Refuse a model or run that no call has."""
    names = [row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM calls")]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1, 0.3)
        hint = f"did you mean {near[0]!r}?" if near else "the journal has none like it"
        raise InputError(f"expected a {column} of the journal, got {name!r}; {hint}")
