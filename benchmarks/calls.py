"""Calls of a remote language model, Afina's beside DSPy's and LangChain's, on one loopback server.

The server is a process of its own that answers at once or after 50 ms. Each contender is a fresh
process; all take turns, and the best round counts. The peers live in an environment of their own,
whose Python ``--peers`` names; without it they are left out. To make it: ``python -m venv FOLDER``,
``FOLDER/bin/pip install dspy==3.4.1 langchain-openai langchain-core==1.7.2``. Writes calls.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import machine

TABLE = Path(__file__).with_suffix(".md")
OURS = {"afina": "Afina", "floor": "aiohttp alone"}
PEERS = {
    "dspy": "DSPy, threads",
    "dspy-async": "DSPy, asyncio",
    "langchain": "LangChain, threads",
    "langchain-async": "LangChain, asyncio",
}
VERSIONS = (
    "from importlib.metadata import version; "
    "print(', '.join(f'{n} {version(n)}' for n in ('dspy', 'langchain-core', 'langchain-openai')))"
)
NOTE = (
    "CPU: user and system time of the client's process, all threads, a call. Requests/s: at 50 ms; "
    "ideal are 640 and 2,560. Equal: 320 equal requests at once, 32 open, counted at the server. "
    "Hits: Afina's through its journal, on disk in a process that has none in memory. All answers "
    "are checked."
)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="a Python that has dspy and langchain-openai")
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few calls, to try the script")
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    calls, rounds = (200, 1) if options.quick else (options.calls, options.rounds)
    names = OURS | PEERS if options.peers else OURS
    with serving() as server:
        found = [
            {name: run(name, options.peers, server, calls) for name in names} for _ in range(rounds)
        ]
    best = {name: merged([each[name] for each in found]) for name in names}
    lines = ["# Calls of a remote model", "", *table(names, best), "", NOTE, ""]
    lines.append(
        f"Best of {rounds} rounds in turn, {calls} calls a measure at least. "
        f"{machine(['afina', 'aiohttp'])} {versions(options.peers)}"
    )
    options.output.write_text("\n".join([*lines, ""]))


@contextmanager
def serving() -> Iterator[str]:
    """The server's address, until the block ends."""
    command = [sys.executable, "-m", "benchmarks.calls_server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def run(name: str, peers: Path | None, server: str, calls: int) -> dict[str, float]:
    """What one contender took, in a process of its own."""
    ours = name in OURS
    python = [sys.executable] if ours else [str(peers)]
    module = "benchmarks.calls_afina" if ours else "benchmarks.calls_peers"
    with tempfile.TemporaryDirectory() as folder:
        command = [*python, "-m", module, name, server, folder, str(calls)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def merged(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The best of each measure; of the calls of equal requests the most, which is worst."""
    return {
        measure: (min if "ms" in measure else max)(each[measure] for each in rounds)
        for measure in rounds[0]
    }


def table(names: Mapping[str, str], best: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line a measure, a column a contender."""
    lines = [row(["", *names.values()]), row(["---"] * (len(names) + 1))]
    for measure in best["afina"]:
        cells = [shown(measure, best[name].get(measure)) for name in names]
        lines.append(row([measure, *cells]))
    return lines


def shown(measure: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if "ms" in measure else f"{value:.0f}"


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def versions(peers: Path | None) -> str:
    """The peers' versions, or that they are not there."""
    if peers is None:
        return "The peers were left out."
    command = [str(peers), "-c", VERSIONS]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return f"Peers: {found}."


if __name__ == "__main__":
    main(sys.argv[1:])
