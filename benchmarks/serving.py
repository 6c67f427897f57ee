"""Time to answer under a tuned prompt, Afina's beside PEFT's, and eight tasks in one batch.

Random GPT-2 shapes of fixed seeds, greedy, without an end token, in float32 on two threads. What
both compute must give the same tokens before anything is timed; then all contenders of a part take
turns, and the best round counts. Writes serving.md.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.machine import machine
from benchmarks.serving_afina import AfinaClassifiers, AfinaSide
from benchmarks.serving_cases import CLASSIFIERS, LARGE, QUICK, SMALL, Shape
from benchmarks.serving_peft import PeftClassifiers, PeftSide

TABLE = Path(__file__).with_suffix(".md")
THREADS = 2
NEW = 16
HEADER = ["what", "by", "ms", "× first"]
NOTE = (
    "No prompt: the model by Afina's loop. Absorbed: the prompt's keys and values were computed "
    "before, once. All tokens written are equal to PEFT's. The classifiers' heads differ (PEFT's "
    "reads the first virtual token, Afina's the mean over the text), so their answers are not "
    "compared."
)

Job = Callable[[], object]


@dataclass(frozen=True)
class Part:
    """Contenders that are measured against the first of them."""

    name: str
    jobs: Mapping[str, Job]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="small shapes, to try the script")
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    large, small = (QUICK, QUICK) if options.quick else (LARGE, SMALL)
    lines = ["# Time to answer", "", row(HEADER), row(["---"] * len(HEADER))]
    for parts in (answers(large), mixed(small), classifiers()):
        for part in parts:
            lines += rows(part, best_of(part, options.rounds))
    about = machine(["afina", "peft", "torch", "transformers"])
    lines += ["", NOTE, "", f"Best of {options.rounds} rounds in turn, {THREADS} threads. {about}"]
    options.output.write_text("\n".join([*lines, ""]))


def answers(shape: Shape) -> list[Part]:
    """One request and eight, the whole answer and the first token."""
    ours, theirs = AfinaSide(shape), PeftSide(shape)
    parts = []
    for count in (1, 8):
        ids = shape.requests(count)
        agree(ours.write(ids, "prompt", NEW), theirs.write(ids, "prompt", NEW))
        agree(ours.write(ids, "prefix", NEW), theirs.write(ids, "prefix", NEW))
        jobs: dict[str, Job] = {
            "no prompt": lambda ids=ids: ours.write(ids, None, NEW),
            "PEFT prompt tuning": lambda ids=ids: theirs.write(ids, "prompt", NEW),
            "PEFT prefix tuning": lambda ids=ids: theirs.write(ids, "prefix", NEW),
            "Afina, absorbed": lambda ids=ids: ours.write(ids, "prompt", NEW),
        }
        name = f"{shape.name}, {shape.virtual} virtual, {count} × 16 in, {NEW} new"
        parts.append(Part(name, jobs))
        first: dict[str, Job] = {
            "PEFT prompt tuning": lambda ids=ids: theirs.write(ids, "prompt", 1),
            "Afina, absorbed": lambda ids=ids: ours.write(ids, "prompt", 1),
        }
        parts.append(Part(f"the first token of {count}", first))
    return parts


def mixed(shape: Shape) -> list[Part]:
    """Eight requests to eight tasks' prompts."""
    ours, theirs = AfinaSide(shape), PeftSide(shape)
    ids = shape.requests(8)
    agree(ours.write_mixed(ids, NEW), theirs.write_one_by_one(ids, NEW))
    jobs: dict[str, Job] = {
        "PEFT, one by one": lambda: theirs.write_one_by_one(ids, NEW),
        "Afina, one by one": lambda: ours.write_one_by_one(ids, NEW),
        "Afina, one mixed batch": lambda: ours.write_mixed(ids, NEW),
    }
    return [Part(f"{shape.name}, eight tasks' prompts of {shape.virtual}, {NEW} new", jobs)]


def classifiers() -> list[Part]:
    """Eight requests to eight tasks' classifiers."""
    ours, theirs = AfinaClassifiers(), PeftClassifiers()
    torch.testing.assert_close(ours.mixed(), ours.one_by_one(), atol=1e-5, rtol=0)
    jobs: dict[str, Job] = {
        "PEFT, one by one": theirs.one_by_one,
        "Afina, one by one": ours.one_by_one,
        "Afina, one mixed batch": ours.mixed,
    }
    tokens, virtual = CLASSIFIERS.tokens, CLASSIFIERS.virtual
    return [Part(f"MiniLM-L6, eight tasks' classifiers, {tokens} in, {virtual} virtual", jobs)]


def agree(ours: list[list[int]], theirs: list[list[int]]) -> None:
    """Stop unless both wrote the same."""
    if ours != theirs:
        sys.exit(f"expected equal tokens, got {ours} and {theirs}")


def best_of(part: Part, rounds: int) -> dict[str, float]:
    """Each contender's best time, taken in turn."""
    best = dict.fromkeys(part.jobs, float("inf"))
    for _ in range(rounds):
        for name, job in part.jobs.items():
            begin = time.perf_counter()
            job()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def rows(part: Part, seconds: Mapping[str, float]) -> list[str]:
    """A part's lines of the table."""
    first = next(iter(seconds.values()))
    return [
        row([part.name, name, f"{1000 * each:.0f}", f"{each / first:.2f}"])
        for name, each in seconds.items()
    ]


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
