"""The journal: every call of a language model, kept by its content and paid for once."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock

from afina.database import database_fault
from afina.disk import alive, started
from afina.lm import ledger
from afina.lm.account import Line, account
from afina.lm.budget import Budget, amount_of
from afina.lm.calls import LIVE, Call, Ending, Source, decode, end, reserve
from afina.lm.forgetting import Selection, forget
from afina.lm.journal_schema import connect
from afina.lm.ledger import Entry
from afina.lm.reply import Reply

REMEMBERED = 20_000  # replies kept in memory
UNWRITTEN_REPLAYS = 1000  # counted in memory at most
STALE_SECONDS = 1800.0  # a reservation so old is given up even where its process lives
OWNERS = "SELECT pid, start, min(begun) FROM calls WHERE state = 'reserved' GROUP BY pid, start"
HELD = "SELECT number FROM calls WHERE state = 'reserved' AND pid = ? AND start = ? AND begun <= ?"
COUNT_REPLAYS = """
    INSERT INTO replays (run, model, endpoint, replays) VALUES (?, ?, ?, ?)
    ON CONFLICT (run, model, endpoint) DO UPDATE SET replays = replays + excluded.replays
"""


class Journal:
    """One SQLite file, safe to use from several threads and processes.

    It opens itself when it is used and is closed by `close`; each process opens its own. A reply
    is written before it is handed out: it outlives the process, killed or not, though not a loss
    of power within the next seconds. Each method raises ArtefactError for a damaged file or
    another program's, MismatchError for a newer afina's, SpaceError where the disk is full,
    BusyError where another process holds on to it, InputError where it cannot be opened.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        self.lock = RLock()
        self.connection: sqlite3.Connection | None = None
        self.owner = (0, "")
        self.replies: dict[str, Reply] = {}
        self.replays: Counter[Source] = Counter()

    def find(self, key: str) -> Reply | None:
        """The answer that is kept, if there is one."""
        reply = self.replies.get(key)
        if reply is not None:
            return reply
        with self.opened() as connection:
            row = connection.execute(LIVE, (key,)).fetchone()
        return self.remember(key, decode(row[2])) if row is not None and row[1] == "done" else None

    def claim(
        self, connection: sqlite3.Connection, call: Call, most: Reply, budget: Budget
    ) -> int | Reply | None:
        """The number of a call that is now ours to make; or its answer, if it has one; or None.

        None: wait, for another makes the same call, or calls under way hold what is left of the
        budget.

        Raises:
            BudgetError: it would go over the budget.
        """
        row = connection.execute(LIVE, (call.key,)).fetchone()
        if row is not None:
            return self.remember(call.key, decode(row[2])) if row[1] == "done" else None
        now, run, amount = self.clock(), call.source.run, amount_of(most)
        ledger.check_time(connection, run, budget, now)
        was = ledger.last(connection, run)
        if not budget.admits(amount, was.settled, was.reserved):
            return None
        number = reserve(connection, call, most, owner=self.owner, now=now)
        reserved = was.reserved + amount
        ledger.post(
            connection, Entry(run, was.number + 1, number, "reserved", now, was.settled, reserved)
        )
        return number

    def end(self, connection: sqlite3.Connection, number: int, ending: Ending) -> bool:
        """Note how a call ended; whether its answer, if it has one, is kept."""
        return end(connection, number, ending, now=self.clock())

    def lose(self, number: int) -> None:
        """Give up a call of which nobody knows how it ended; the most it can take is spent."""
        with self.transaction() as connection:
            self.end(connection, number, Ending("lost", None, reason="it was broken off"))

    def release(self) -> None:
        """Give up the calls of processes that are dead, and those that are stale."""
        stale = self.clock() - STALE_SECONDS
        with self.opened() as connection:
            owners = connection.execute(OWNERS).fetchall()
        dead = {(pid, start) for pid, start, _ in owners if not alive(pid, start)}
        if not dead and all(begun > stale for _, _, begun in owners):
            return
        with self.transaction() as connection:
            for pid, start, _ in owners:
                gone = (pid, start) in dead
                until = float("inf") if gone else stale
                ending = Ending("lost", None, reason="it died" if gone else "it is stale")
                for row in connection.execute(HELD, (pid, start, until)).fetchall():
                    self.end(connection, row[0], ending)

    def replayed(self, source: Source) -> None:
        """Count an answer that was not paid for again."""
        with self.lock:
            self.replays[source] += 1
            if self.replays.total() >= UNWRITTEN_REPLAYS:
                self.write_replays()

    def write_replays(self) -> None:
        """Write how many answers were replayed since it was last written."""
        with self.lock:
            if self.replays:
                with self.transaction() as connection:
                    rows = [(*source, count) for source, count in self.replays.items()]
                    connection.executemany(COUNT_REPLAYS, rows)
                self.replays.clear()

    def entries(self, run: str = "") -> list[Entry]:
        """The ledger of a run, oldest event first."""
        with self.opened() as connection:
            return ledger.entries(connection, run)

    def account(self) -> list[Line]:
        """What was spent, a line a run and model."""
        self.write_replays()
        with self.opened() as connection:
            return account(connection)

    def forget(self, selection: Selection) -> int:
        """Erase the texts of some calls, so that they are asked anew; how many.

        What they took is still told, and still counts in a budget. A process that runs may go on
        with the replies it has in memory.

        Raises:
            InputError: there is no such model or run.
        """
        with self.transaction() as connection:
            count = forget(connection, selection, now=self.clock())
        self.replies.clear()
        with self.opened() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def close(self) -> None:
        """Close the file; the journal can be used again afterwards."""
        with self.lock:
            self.write_replays()
            if self.connection is not None:
                self.connection.close()
                self.connection = None

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone until the block ends."""
        with self.lock:
            try:
                if self.connection is None:
                    self.connection = connect(self.path)
                    self.owner = (os.getpid(), started(os.getpid()))
                    self.release()
                yield self.connection
            except sqlite3.Error as error:
                raise database_fault(self.path, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection; what happens in the block happens whole or not at all."""
        with self.opened() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def remember(self, key: str, reply: Reply) -> Reply:
        """Keep a reply in memory, as it is replayed; it never changes, so none is stale."""
        with self.lock:
            if len(self.replies) >= REMEMBERED:
                del self.replies[next(iter(self.replies))]
            self.replies[key] = reply if reply.replayed else replace(reply, replayed=True)
        return reply
