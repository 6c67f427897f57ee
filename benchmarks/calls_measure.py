"""What is measured of each library that calls a language model; only the standard library here.

A contender answers many texts at once. It runs in a process of its own, of which the CPU time of
all threads is taken, and prints what it took as one line of JSON.
"""

import argparse
import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

SYSTEM = "You are a careful assistant. Read the text and say in one word what it is about. " * 5


class Contender(Protocol):
    """A library's way to ask one model many times."""

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        """The answers in order, at most so many asked at once; from a cache where there is one."""

    def forget_memory(self) -> bool:
        """Leave of the cache what is on disk; False where there is nothing."""


def main(contenders: Mapping[str, Callable[[str], Contender]]) -> None:
    """Measure the contender that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=contenders)
    parser.add_argument("server")
    parser.add_argument("folder", help="an empty one, for a cache")
    parser.add_argument("calls", type=int, help="of each measure, at least")
    options = parser.parse_args()
    contender = contenders[options.contender](options.folder)
    print(json.dumps(measures(contender, options.server, options.calls)))


def measures(contender: Contender, server: str, calls: int) -> dict[str, float]:
    """All that is measured: milliseconds of CPU, requests a second, and calls."""
    now, later = f"{server}/0/v1", f"{server}/50/v1"
    ask(contender, now, "warm", 64, 32)
    found = {"CPU a call, ms": cpu(lambda: ask(contender, now, "cpu", calls, 32), calls)}
    for concurrency in (32, 128):
        count = max(calls, 16 * concurrency)
        begin = time.perf_counter()
        ask(contender, later, f"rate {concurrency}", count, concurrency)
        found[f"requests/s, {concurrency} at once"] = count / (time.perf_counter() - begin)
    counted(server)
    ask(contender, later, "equal", 320, 32, cached=True, equal=True)
    found["calls for 320 equal requests"] = counted(server)
    ask(contender, now, "hit", calls, 32, cached=True)
    counted(server)
    hits = cpu(lambda: ask(contender, now, "hit", calls, 32, cached=True), calls)
    if counted(server) == 0:
        found["hit in memory, CPU ms"] = hits
    if contender.forget_memory():
        hits = cpu(lambda: ask(contender, now, "hit", calls, 32, cached=True), calls)
        assert counted(server) == 0, "expected hits alone"
        found["hit on disk, CPU ms"] = hits
    return found


def ask(
    contender: Contender,
    url: str,
    name: str,
    count: int,
    concurrency: int,
    *,
    cached: bool = False,
    equal: bool = False,
) -> None:
    """Ask so many texts and see that each answer is right."""
    texts = [f"{name}, text {0 if equal else number}" for number in range(count)]
    answers = contender.many(url, texts, concurrency, cached)
    assert answers == [text[::-1] for text in texts], "expected each text backwards"


def cpu(work: Callable[[], object], calls: int) -> float:
    """Milliseconds of CPU a call, in all threads."""
    begin = time.process_time()
    work()
    return 1000 * (time.process_time() - begin) / calls


def counted(server: str) -> int:
    """Answers that the server gave since this was last asked."""
    with urllib.request.urlopen(f"{server}/count") as answer:
        return int(json.load(answer)["count"])
