"""Recorded replies of language models, read by the reader: what share, repaired how, missing why.

BIG-Bench Hard as code-davinci-002 answered it (directly, and with a chain of thought) and GSM8K as
four GPT-3 solvers did; nothing is asked anew and nothing is trained. A task's signature follows
from its gold answers: options, few labels, whole numbers, or text. Writes reader.md, numbers only.
To reach: read + missing = all.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from afina.hard.reader import read_answer
from afina.solver import Value
from afina.task.signature import Choice, Field, Integer, Number, Signature, Text
from benchmarks.machine import machine

TABLE = Path(__file__).with_suffix(".md")
DATA = Path("/work/shared/data")
GSM8K = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
FEW = 5  # labels that a task's gold answers may be


@dataclass
class Tally:
    """Counts over the replies of one source."""

    replies: int = 0
    right: int = 0
    agreed: int = 0  # our right or wrong is the record's own, where it has one
    judged: int = 0
    clean: int = 0  # read without a repair
    seconds: float = 0.0
    repairs: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        return self.replies - self.missing.total()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    sources: dict[str, dict[str, Tally]] = {
        f"BBH, {kind}": replay_bbh(options.data / "bbh" / f"code-davinci-002-{kind}.jsonl")
        for kind in ("direct", "cot")
    }
    solutions = options.data / "gsm8k" / "example_model_solutions.jsonl"
    for name in GSM8K:
        sources[f"GSM8K, {name}"] = {"gsm8k": replay_gsm8k(rows_of(solutions), name)}
    options.output.write_text("\n".join(page(sources)))


def rows_of(path: Path) -> Iterator[dict[str, object]]:
    with path.open() as file:
        yield from map(json.loads, file)


def replay_bbh(path: Path) -> dict[str, Tally]:
    """A tally a task."""
    tasks: dict[str, list[tuple[str, str]]] = {}
    for row in rows_of(path):
        pair = str(row["prediction"]), str(row["target"])
        tasks.setdefault(str(row["task"]), []).append(pair)
    tallies = {}
    for task, pairs in tasks.items():
        signature = signature_of({gold for _, gold in pairs})
        tallies[task] = tally = Tally()
        for text, gold in pairs:
            count(tally, text, gold, signature)
    return tallies


def signature_of(golds: set[str]) -> Signature:
    """What a task's gold answers are: options, few labels, whole numbers, or text."""
    options = sorted(gold for gold in golds if re.fullmatch(r"\([A-Z]\)", gold))
    kind: Choice | Integer | Text = Text()
    if len(options) == len(golds):
        last = ord(options[-1][1])
        kind = Choice(tuple(f"({chr(code)})" for code in range(ord("A"), last + 1)))
    elif all(re.fullmatch(r"-?[0-9]+", gold) for gold in golds):
        kind = Integer()
    elif len(golds) <= FEW:
        kind = Choice(tuple(sorted(golds)))
    return Signature((Field("question", Text()),), (Field("answer", kind),))


def replay_gsm8k(rows: Iterable[dict[str, object]], name: str) -> Tally:
    """The solutions end in a line ``A: 18``, so the output's name is A."""
    signature = Signature((Field("question", Text()),), (Field("A", Number()),))
    tally = Tally()
    for row in rows:
        solution = row[name]
        assert isinstance(solution, dict)
        gold = str(row["ground_truth"]).rpartition("A: ")[2]
        own = bool(solution["is_correct"])
        count(tally, str(solution["solution"]), gold, signature, own=own)
    return tally


def count(
    tally: Tally, text: str, gold: str, signature: Signature, own: bool | None = None
) -> None:
    """Read a reply and add it to the tally."""
    clock = time.perf_counter()
    reading = read_answer(text, signature)
    tally.seconds += time.perf_counter() - clock
    tally.replies += 1
    right = False
    if reading.outputs is None:
        tally.missing[reading.reason.partition(":")[0]] += 1
    else:
        right = reading.outputs[signature.target.name] == value_of(gold, signature)
        tally.right += right
        tally.clean += not reading.repairs
        tally.repairs.update(reading.repairs)
    if own is not None:
        tally.judged += 1
        tally.agreed += own == right


def value_of(gold: str, signature: Signature) -> Value:
    """A gold answer as a value of its type."""
    found = read_answer(gold, signature).outputs
    assert found is not None, gold
    return found[signature.target.name]


def page(sources: dict[str, dict[str, Tally]]) -> Iterator[str]:
    yield "# Recorded replies through the reader\n"
    yield "| replies of | all | read | without repair | missing | right of read | right of all |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, tallies in sources.items():
        yield "| " + " | ".join([name, *shares(tallies.values())]) + " |"
    direct, cot = (f"{task_mean(sources[name]):.1f}" for name in ("BBH, direct", "BBH, cot"))
    yield "\n`Right of all` counts a missing answer as wrong. Its mean over the 23 tasks of BBH is"
    yield f"{direct} (direct) and {cot} (cot); Suzgun et al. 2022 report 56.6 and 73.9 on all rows,"
    yield "this is 80 % of them. GSM8K: the record's own verdict, right or wrong, is ours in"
    judged = [each for tallies in sources.values() for each in tallies.values() if each.judged]
    same, total = sum(each.agreed for each in judged), sum(each.judged for each in judged)
    yield f"{same} of {total} replies. What is missing was cut off, or names two answers or none.\n"
    for title, kind in (("Repairs", "repairs"), ("Missing", "missing")):
        yield f"## {title}, replies\n"
        yield f"| | {' | '.join(sources)} |"
        yield "| --- " * (len(sources) + 1) + "|"
        totals = [
            sum((getattr(t, kind) for t in each.values()), Counter()) for each in sources.values()
        ]
        for name in sorted(set().union(*totals)):
            yield f"| {name} | {' | '.join(str(total[name]) for total in totals)} |"
        yield ""
    yield "## BBH by task\n"
    yield "| task | replies | direct: read, right | cot: read, right |\n| --- | --- | --- | --- |"
    for task, direct in sources["BBH, direct"].items():
        cot = sources["BBH, cot"][task]
        cells = [f"{each.read}, {each.right}" for each in (direct, cot)]
        yield f"| {task} | {direct.replies} | {' | '.join(cells)} |"
    every = [each for tallies in sources.values() for each in tallies.values()]
    micro = 1e6 * sum(each.seconds for each in every) / sum(each.replies for each in every)
    yield f"\nOne read takes {micro:.0f} µs on average. {machine(['afina'])}\n"


def task_mean(tallies: dict[str, Tally]) -> float:
    """Percent right over BBH's 23 tasks, of which two come in three sizes."""
    tasks: dict[str, list[float]] = {}
    for name, tally in tallies.items():
        whole = re.sub("_(three|five|seven)_objects", "", name)
        tasks.setdefault(whole, []).append(tally.right / tally.replies)
    return 100 * sum(sum(sizes) / len(sizes) for sizes in tasks.values()) / len(tasks)


def shares(tallies: Iterable[Tally]) -> list[str]:
    """A source's cells; read and missing are all that there is."""
    tallies = list(tallies)
    replies, read = sum(each.replies for each in tallies), sum(each.read for each in tallies)
    missing = sum(each.missing.total() for each in tallies)
    assert read + missing == replies
    right, clean = sum(each.right for each in tallies), sum(each.clean for each in tallies)
    return [
        str(replies),
        f"{read} ({100 * read / replies:.2f} %)",
        f"{100 * clean / replies:.1f} %",
        str(missing),
        f"{100 * right / read:.1f} %",
        f"{100 * right / replies:.1f} %",
    ]


if __name__ == "__main__":
    main()
