"""CPU a call through the journal: new, and replayed from memory and from the file.

A scripted model answers at once, so its own line is what a call takes without the journal. The
median of several rounds, each with a journal of its own. Writes journal.md. To reach: a replay in
0.05 ms, a new call well under 0.35 ms, and one call of 320 equal ones.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import LM, gather
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM
from benchmarks.machine import machine

TABLE = Path(__file__).with_suffix(".md")
SYSTEM = "You answer a question about the capital of a country. " * 20


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    rounds = [asyncio.run(one_round(options.calls)) for _ in range(options.rounds)]
    lines = ["# The journal's cost", "", "| what | CPU ms a call | wall ms a call |"]
    lines.append("| --- | --- | --- |")
    for name in rounds[0]:
        cpu, wall = (statistics.median(each[name][place] for each in rounds) for place in (0, 1))
        lines.append(f"| {name} | {cpu:.3f} | {wall:.3f} |")
    about = machine(["afina"])
    lines += ["", f"320 equal requests at once made {equal_requests()} call.", ""]
    lines += [f"Median of {options.rounds} rounds of {options.calls} calls. {about}", ""]
    options.output.write_text("\n".join(lines))


async def one_round(calls: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of CPU and of the wall clock a call, by what is done."""
    requests = [question(number) for number in range(2 * calls)]
    halves = requests[:calls], requests[calls:]
    with tempfile.TemporaryDirectory() as folder:
        model = ScriptedLM(lambda request: "It is Lisbon.", name="model", price=1e-6)
        journal = Journal(Path(folder) / "journal.sqlite")
        lm = Journaled(model, journal, Budget(money=1e6))
        found = {
            "the model alone, 32 at once": await timed(model, halves[0], 32),
            "new, 32 at once": await timed(lm, halves[0], 32),
            "new, one after another": await timed(lm, halves[1], 1),
            "replayed from memory": await in_turn(lm, halves[0]),
        }
        journal.replies.clear()
        found["replayed from the file"] = await in_turn(lm, halves[0])
        await lm.close()
    return found


def question(number: int) -> Request:
    """A request of about 1.1 kB."""
    return Request((Message("system", SYSTEM), Message("user", f"Number {number}?")))


async def timed(lm: LM, requests: list[Request], concurrency: int) -> tuple[float, float]:
    """What so many calls at once take."""
    before = (time.process_time(), time.perf_counter())
    await gather(lm, requests, concurrency)
    return since(before, len(requests))


async def in_turn(lm: LM, requests: list[Request]) -> tuple[float, float]:
    """What one call after another takes."""
    before = (time.process_time(), time.perf_counter())
    for request in requests:
        await lm.answer(request)
    return since(before, len(requests))


def since(before: tuple[float, float], calls: int) -> tuple[float, float]:
    """Milliseconds a call since two clocks were read."""
    cpu, wall = time.process_time() - before[0], time.perf_counter() - before[1]
    return 1000 * cpu / calls, 1000 * wall / calls


def equal_requests() -> int:
    """How many calls 320 equal requests at once make."""
    with tempfile.TemporaryDirectory() as folder:
        model = ScriptedLM({"Number 0?": "one"})
        lm = Journaled(model, Journal(Path(folder) / "journal.sqlite"))

        async def work() -> None:
            await gather(lm, [question(0)] * 320, 320)
            await lm.close()

        asyncio.run(work())
        return model.calls


if __name__ == "__main__":
    main(sys.argv[1:])
