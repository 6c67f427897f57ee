"""Optimisers in simulated worlds, Afina's beside DSPy's, at equal numbers of calls.

A score is exact: how likely the program found is right on rows held out, by the world's own
chances. Each contender has 60 rows of train and 100 of dev, its defaults, and the same simulated
model; a request that is equal to one before costs nothing. DSPy's best program so far counts at
each number of calls. DSPy and optuna live in an environment of their own, whose Python ``--peers``
names. What a contender gave is kept in ``--raw`` as JSON lines, and only what is missing there is
run, with as many seeds as are asked for now; a row says how many it has. Writes optimisers.md.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import t as student

from afina.hard.prompt_solver import PromptSolver
from afina.program.knn import KnnSettings, knn
from afina.program.search import Means
from benchmarks.machine import machine
from tests.program.optimising import OPTIMISERS, judge_of, optimised
from tests.worlds.afina_side import WORLDS, Oracle, WorldLM, program_of, task_of, worth
from tests.worlds.simulated import Simulated

TABLE = Path(__file__).with_suffix(".md")
CALLS = (100, 200, 400, 800)
RAW = Path(tempfile.gettempdir()) / "afina-optimisers"
OURS = ("racing", *(name for name in OPTIMISERS if name != "racing"), "knn")
PEERS = ("random-search", "copro", "mipro", "gepa", "gepa-light")
HELD_OUT = 300
Results = list[dict[str, object]]
NOTE = (
    "Mean over seeds, each a world of its own, and its interval by Student's t, in hundredths. "
    "Desk: rules matter. Ledger: examples matter, and of train 15 in 100 are marked wrong. "
    "Archive: two stages, the second worth nothing without the first's query. The ceilings are "
    "about 95, 90 and 90. `gepa-light` is DSPy's own setting, run to its end; the calls it made "
    "stand beside it. DSPy's optimisers score the program as given on all of dev first, and so "
    "have nothing else to show at 100 calls; its COPRO is shown no rows. Ours less DSPy's is in "
    "pairs of worlds."
)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="a Python that has dspy and optuna")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    options.raw.mkdir(parents=True, exist_ok=True)
    lines = ["# Optimisers", ""]
    for world in WORLDS:
        found = {
            name: kept(options.raw / f"afina-{name}-{world}.jsonl", ours, name, world, options)
            for name in OURS
            if (name, world) != ("knn", "archive")
        }
        for name in PEERS if options.peers else ():
            path = options.raw / f"dspy-{name}-{world}.jsonl"
            found[f"DSPy {name}"] = kept(path, peers, name, world, options)
        lines += [f"## {world}", "", *table(found), ""]
        if options.peers:
            lines += ["Ours less DSPy's of the same name:", "", *namesakes(found), ""]
    lines += [NOTE, ""]
    lines.append(machine(["afina", "optuna"]) + (" DSPy 3.4.1." if options.peers else ""))
    options.output.write_text("\n".join([*lines, ""]))


def kept(path: Path, make, name: str, world: str, options: argparse.Namespace) -> Results:  # type: ignore[no-untyped-def]
    """What a contender gave, run only if it is not kept."""
    if not path.is_file():
        found = make(name, world, options)
        path.write_text("".join(json.dumps(each) + "\n" for each in found))
    return [json.loads(line) for line in path.read_text().splitlines()]


def ours(name: str, world: str, options: argparse.Namespace) -> Results:
    """One of ours: another search for each number of calls, since it plans for them."""
    return [
        {"seed": seed, "at": {str(calls): gained(name, world, seed, calls) for calls in CALLS}}
        for seed in range(options.seeds)
    ]


def gained(name: str, world_name: str, seed: int, calls: int) -> float:
    """What the program found is worth."""
    world = WORLDS[world_name](seed)
    lm = WorldLM(Simulated(world, seed))
    if name != "knn":
        found = optimised(name, world, calls, seed=seed, lm=lm)
        assert lm.calls <= calls
        return worth(found.program, world, HELD_OUT)
    settings, means = KnnSettings(calls=calls, seed=seed), Means(judge=judge_of(world))
    _, selection = knn(
        program_of(world), task_of(world), lm, settings, means, load=lambda name: no_vectors()
    )
    assert lm.calls <= calls
    oracle = Oracle(Simulated(world))
    rows = [row.inputs for row in world.rows("held out", HELD_OUT)]
    prompt = program_of(world).prompts["predict"]
    PromptSolver(prompt, oracle, "", selection=selection)(rows)
    return fmean(oracle.shares.values())


def no_vectors():  # type: ignore[no-untyped-def]
    raise AssertionError("overlap needs no vectors")


def peers(name: str, world: str, options: argparse.Namespace) -> Results:
    """One of DSPy's, in a process of its environment."""
    caps = ",".join(map(str, CALLS))
    command = [str(options.peers), "-m", "benchmarks.optimisers_peers"]
    arguments = [name, world, str(options.seeds), caps]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(found: Mapping[str, Results]) -> list[str]:
    """A row a contender, a column a number of calls."""
    lines = [
        f"| | seeds | {' | '.join(f'{calls} calls' for calls in CALLS)} |",
        f"| --- | ---: |{' ---: |' * len(CALLS)}",
    ]
    for name, results in found.items():
        if name == "DSPy gepa-light":
            calls = fmean(number(each["calls"]) for each in results)
            ends = interval([number(each["end"]) for each in results])
            lines.append(f"| {name}: {calls:.0f} calls | {len(results)} | | | | {ends} |")
            continue
        columns = [interval([number(at(each)[str(calls)]) for each in results]) for calls in CALLS]
        lines.append(f"| {name} | {len(results)} | {' | '.join(columns)} |")
    return lines


def namesakes(found: Mapping[str, Results]) -> list[str]:
    """How much more ours gives than DSPy's of the same name, in the worlds that both have."""
    lines = [
        f"| | worlds | {' | '.join(f'{calls} calls' for calls in CALLS)} |",
        f"| --- | ---: |{' ---: |' * len(CALLS)}",
    ]
    for name in PEERS:
        theirs = {each["seed"]: at(each) for each in found[f"DSPy {name}"]}
        both = [each for each in found.get(name, ()) if each["seed"] in theirs]
        if both:
            more = [
                [number(at(each)[call]) - number(theirs[each["seed"]][call]) for each in both]
                for call in map(str, CALLS)
            ]
            lines.append(f"| {name} | {len(both)} | {' | '.join(map(interval, more))} |")
    return lines


def at(result: Mapping[str, object]) -> Mapping[str, object]:
    found = result["at"]
    assert isinstance(found, dict)
    return found


def number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def interval(values: Sequence[float]) -> str:
    """A mean in hundredths with the interval of it."""
    mean = fmean(values)
    spread = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    reach = float(student.ppf(0.975, max(1, len(values) - 1))) * spread
    low, high = max(-1.0, mean - reach), min(1.0, mean + reach)
    return f"{100 * mean:.1f} [{100 * low:.0f}, {100 * high:.0f}]"


if __name__ == "__main__":
    main(sys.argv[1:])
