import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from afina.errors import BudgetError, SpaceError
from afina.lm.commits import Commits


class File:
    """What was said, with a count of its transactions; it can fail to commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.connection.execute("CREATE TABLE said (number)")
        self.fault: Exception | None = None
        self.transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        self.transactions += 1
        yield self.connection
        if self.fault is not None:
            raise self.fault

    @property
    def said(self) -> list[int]:
        return [row[0] for row in self.connection.execute("SELECT number FROM said")]


@pytest.fixture
def file() -> Iterator[File]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield File(connection)


def saying(number: int) -> Callable[[sqlite3.Connection], int]:
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO said VALUES (?)", (number,))
        return number * 10

    return job


def test_what_is_written_in_one_turn_is_one_transaction(file: File) -> None:
    commits = Commits(file.transaction)

    async def work() -> None:
        assert await asyncio.gather(*(commits.write(saying(number)) for number in range(20))) == [
            number * 10 for number in range(20)
        ]
        assert await commits.write(saying(20)) == 200

    asyncio.run(work())
    assert file.said == list(range(21))
    assert file.transactions == 2


def test_a_job_that_is_refused_stops_no_other(file: File) -> None:
    commits = Commits(file.transaction)

    def refused(connection: sqlite3.Connection) -> int:
        raise BudgetError("spent")

    async def work() -> list[int | BaseException]:
        jobs = [commits.write(job) for job in (saying(1), refused, saying(2))]
        return await asyncio.gather(*jobs, return_exceptions=True)

    first, error, last = asyncio.run(work())
    assert (first, last) == (10, 20)
    assert isinstance(error, BudgetError)


def test_nobody_who_left_is_served_but_by_what_is_owed(file: File) -> None:
    commits = Commits(file.transaction)

    async def work() -> None:
        for job, owed in ((saying(1), False), (saying(2), True), (saying(3), False)):
            commits.write(job, owed=owed).cancel()
        assert await commits.write(saying(4)) == 40

    asyncio.run(work())
    assert file.said == [2, 4]


@pytest.mark.parametrize("fault", [SpaceError("full"), ZeroDivisionError("bug")])
def test_all_are_told_that_nothing_was_written(file: File, fault: Exception) -> None:
    """A bug is also the loop's to tell, as any in a callback."""
    file.fault = fault
    commits = Commits(file.transaction)
    told: list[object] = []

    async def work() -> list[int | BaseException]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        jobs = [commits.write(saying(number)) for number in range(3)]
        return await asyncio.gather(*jobs, return_exceptions=True)

    assert asyncio.run(work()) == [fault] * 3
    assert told == ([fault] if isinstance(fault, ZeroDivisionError) else [])
