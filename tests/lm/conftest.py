"""One misbehaving server for all tests of a file."""

from collections.abc import Iterator

import pytest

from tests.lm.server import Server, serving
from tests.lm.slow_time import SlowTime


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.seen.clear()
    running.script.clear()
    running.always = None
    return running


@pytest.fixture
def clock() -> SlowTime:
    return SlowTime()
