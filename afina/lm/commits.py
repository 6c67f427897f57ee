"""One transaction a turn of the event loop for all that its tasks have to write in a journal."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from afina.errors import AfinaError

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
Waiting = tuple[Job[Any], asyncio.Future[Any], bool]  # Any: each job gives what it gives


class Commits:
    """Gathers jobs and tells their results once they are written.

    A transaction costs more than what is written in it, so tasks share it. A job that raises has
    written nothing, and stops no other.
    """

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]
    ) -> None:
        self.transaction = transaction
        self.waiting: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}

    def write(self, job: Job[T], *, owed: bool = False) -> asyncio.Future[T]:
        """The result of a job to come; one that is ``owed`` is done though nobody waits for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        jobs = self.waiting.setdefault(loop, [])
        if not jobs:
            loop.call_soon(self.commit, loop)
        jobs.append((job, future, owed))
        return future

    def commit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do all jobs of a loop in one transaction, then tell their results."""
        jobs = [each for each in self.waiting.pop(loop) if each[2] or not each[1].cancelled()]
        try:
            with self.transaction() as connection:
                results = [outcome(job, connection) for job, _, _ in jobs]
        except AfinaError as error:
            results = [error] * len(jobs)
        except BaseException as error:  # a bug or a signal: nobody may be left waiting
            tell(jobs, [error] * len(jobs))
            raise
        tell(jobs, results)


def outcome(job: Job[Any], connection: sqlite3.Connection) -> object:
    """What a job gives, or the error that it ends with."""
    try:
        return job(connection)
    except AfinaError as error:
        return error


def tell(jobs: list[Waiting], results: list[Any]) -> None:
    """Hand each result to whoever waits for it."""
    for (_, future, _), result in zip(jobs, results, strict=True):
        if future.cancelled():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
