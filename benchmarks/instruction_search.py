"""Instruction search on real data with a local decoder: what a search gains on rows it never saw.

    python -m benchmarks.instruction_search                   the table, instruction_search.md
    python -m benchmarks.instruction_search --quick           a few rows, to see that it works
    python -m benchmarks.instruction_search --model FOLDER    another decoder

Each optimiser has 200 calls, with two proposers: the decoder itself, and one that draws from what
people wrote to describe the task.
"""

import argparse
import hashlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from statistics import fmean, stdev

from scipy.stats import t as student

from afina.errors import ModelError
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.evaluation.statistics import (
    Paired,
    holm,
    interval_over_seeds,
    paired,
    verdict,
)
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.lm.lm import LM
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import load_lm
from afina.program.copro import CoproSettings, copro
from afina.program.found import Found
from afina.program.gepa import GepaSettings, gepa
from afina.program.mipro import mipro
from afina.program.mipro_settings import MiproSettings
from afina.program.predict import predict
from afina.program.program import Program
from afina.program.racing import RacingSettings, racing
from afina.program.random_search import RandomSearchSettings, random_search
from afina.program.search import Means
from afina.task.task import Task
from benchmarks.calibrated import Calibrated
from benchmarks.instruction_tasks import Case, cases
from benchmarks.machine import machine

TABLE = Path(__file__).with_suffix(".md")
TINY, STORIES = "builtin:tiny-decoder", "/work/shared/data/model_stories260k/hf"
CALLS = 200
SHOTS = 4  # examples a prompt shows at most, so that it fits in the decoder's places
ASKED = CallSettings(max_tokens=12)
SCORED = EvaluationSettings(latency_sample=0)

Optimise = Callable[[Program, Task, LM, int, Means], Found]
OPTIMISERS: Mapping[str, Optimise] = {
    "racing": lambda program, task, lm, seed, means: racing(
        program, task, lm, RacingSettings(SHOTS, CALLS, seed), means
    ),
    "copro": lambda program, task, lm, seed, means: copro(
        program, task, lm, CoproSettings(calls=CALLS, seed=seed), means
    ),
    "gepa": lambda program, task, lm, seed, means: gepa(
        program, task, lm, GepaSettings(calls=CALLS, seed=seed), means
    ),
    "mipro": lambda program, task, lm, seed, means: mipro(
        program, task, lm, MiproSettings(shots=SHOTS, calls=CALLS, seed=seed), means
    ),
    "random-search": lambda program, task, lm, seed, means: random_search(
        program, task, lm, RandomSearchSettings(shots=SHOTS, calls=CALLS, seed=seed), means
    ),
}
ITSELF, PEOPLE = "itself", "people"
WITHOUT_PROPOSER = ("random-search",)
NOTE = (
    "Eight tasks of instruction induction and twenty intents of clinc150, drawn by seed 0; rows "
    "of at most 120 characters, prompts of at most 4 examples, for the decoder's places. Scores "
    "are of rows that no search saw: of instruction induction the part that its authors keep for "
    "following instructions, while half of the other part is train and half is dev; of clinc150 "
    "rows of dev that the searches were not given. The given instruction is the first of those "
    "that people wrote for the task, for clinc150 the one of its task folder. `itself`: the "
    "decoder proposes, with seed 0 alone. The 512 places of model_stories260k have no room for "
    "what a writer of instructions is shown, but for `copro` on `singular_to_plural` and "
    "`antonyms`: what else `itself` found are examples. `people`: the proposer is a script, which "
    "draws from the recorded instructions that other people wrote for this very task, and knows "
    "nothing of the rows; so it stands for a proposer that understands the task, not for a model. "
    "clinc150 has none. A rating is scored as its figure, `not the same` as `different`, an "
    "intent as a letter, since a decoder scores labels by their length. Labels are calibrated, or "
    "it says the same one to every row: each probability is divided by the one it has, behind the "
    "same turns, for a row that says nothing (Zhao et al. 2021, "
    "https://arxiv.org/abs/2102.09690), which is asked once a prompt and not counted. Answers of "
    "the three tasks with free text are cut at 12 tokens, and right where they match exactly. "
    "Intervals are of 95 %, over rows and seeds, differences are paired, and the words behind "
    "them are the verdict (A: the optimised prompt) after Holm's adjustment over a task's "
    "methods. `As many random examples` are as many as the found prompt shows, drawn by the same "
    "seed. `Kept` is in how many searches the prompt as given was chosen in the end. Missing "
    "answers are requests too long for the decoder, or empty replies; they are left out, and "
    "told. The last table is the mean over tasks, with Student's interval over tasks."
)
HEAD = (
    "| prompt | proposer | score | less zero-shot | less as many random examples | kept | calls |"
)


@dataclass(frozen=True)
class Contender:
    """An optimiser with its proposer on one task: a report and a baseline a seed."""

    name: str
    proposer: str
    reports: tuple[Report, ...]
    random: tuple[Report, ...]
    kept: int
    calls: float


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", default="")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    seeds = range(1 if options.quick else options.seeds)
    model, lm = decoder(options.model)
    clock, sections, gains = time.process_time(), list[str](), dict[str, list[float]]()
    for case in cases()[: 2 if options.quick else None]:
        sections += section(case, lm, seeds, gains)
        print(f"{case.task.name}: {time.process_time() - clock:.0f} s", file=sys.stderr)
    told = f"{model}, {CALLS} calls a search, seeds {', '.join(map(str, seeds))}, "
    told += f"{time.process_time() - clock:.0f} s of processor time."
    lines = ["# Instruction search on real data", "", NOTE, "", told, "", *sections]
    lines += [*over_tasks(gains), "", machine(["afina", "optuna", "torch", "transformers"])]
    print("\n".join(lines))
    if not options.quick:
        options.output.write_text("\n".join(lines) + "\n")


def decoder(name: str) -> tuple[str, LM]:
    """The decoder of a name; without one the builtin, or where it has no weights the stories'."""
    if name:
        return name, Calibrated(load_lm(name))
    try:
        return TINY, Calibrated(load_lm(TINY))
    except ModelError:
        return "model_stories260k", Calibrated(load_lm(STORIES))


def section(
    case: Case, lm: LM, seeds: Sequence[int], gains: dict[str, list[float]]
) -> Iterator[str]:
    """A task's table; what each optimiser gained is added to ``gains``."""
    task = case.task

    @cache
    def plain(seed: int, count: int) -> Report:
        shown = tuple(Random(seed).sample(task.train, count))
        return scored(Prompt.of(task.signature, shown), case, lm)

    zero = plain(0, 0)
    found = [
        contender(name, proposer, case, lm, seeds[:1] if proposer == ITSELF else seeds, plain)
        for name in OPTIMISERS
        for proposer in proposers(name, case)
    ]
    random = tuple(plain(seed, SHOTS) for seed in seeds)
    yield f"## {task.name}, {len(case.held_out)} rows"
    yield ""
    yield HEAD
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    yield f"| zero-shot | | {shown(task, [zero])} | | | | |"
    bare = f"| {shown(task, random)} | {gap(task, random, [zero])} |"
    yield f"| {SHOTS} random examples | {bare} | | |"
    apart = [paired(task.metric, each.reports, [zero]) for each in found]
    more = [paired(task.metric, each.reports, each.random) for each in found]
    for each, *differences in zip(found, judged(apart), judged(more), strict=True):
        yield (
            f"| {each.name} | {each.proposer} | {shown(task, each.reports)} | "
            f"{' | '.join(differences)} | {each.kept} of {len(each.reports)} | {each.calls:.0f} |"
        )
    yield ""
    gains.setdefault(f"{SHOTS} random examples", []).append(gained(task, random, [zero]))
    for each in found:
        key = f"{each.name}, {each.proposer}".removesuffix(", ")
        gains.setdefault(key, []).append(gained(task, each.reports, [zero]))


def proposers(name: str, case: Case) -> Sequence[str]:
    """Who proposes for an optimiser on a task."""
    if name in WITHOUT_PROPOSER:
        return ("",)
    return (ITSELF, PEOPLE) if case.written else (ITSELF,)


def contender(
    name: str,
    proposer: str,
    case: Case,
    lm: LM,
    seeds: Sequence[int],
    plain: Callable[[int, int], Report],
) -> Contender:
    """Search with each seed, and score what was found."""
    means = Means(proposer=people(case) if proposer == PEOPLE else None, calls=ASKED)
    runs = [
        OPTIMISERS[name](predict(case.task.signature), case.task, lm, seed, means) for seed in seeds
    ]
    prompts = [run.program.prompts["answer"] for run in runs]
    return Contender(
        name,
        proposer,
        tuple(scored(prompt, case, lm) for prompt in prompts),
        tuple(
            plain(seed, len(prompt.demonstrations))
            for seed, prompt in zip(seeds, prompts, strict=True)
        ),
        sum(run.best == 0 for run in runs),
        fmean(run.usage.calls for run in runs),
    )


def people(case: Case) -> LM:
    """A proposer that says what people wrote for the task, whatever it is shown."""

    def write(request: Request) -> str:
        asked = repr((request.messages, request.repeat)).encode()
        place = int.from_bytes(hashlib.sha256(asked).digest()[:6]) % len(case.written)
        return case.written[place]

    return ScriptedLM(write, name=f"people on {case.task.name}")


def scored(prompt: Prompt, case: Case, lm: LM) -> Report:
    """A prompt's answers on the rows held out."""
    solver = PromptSolver(prompt, lm, "", case.task.words, ASKED)
    return evaluate(
        solver,
        case.held_out,
        case.task.metric,
        field=case.task.signature.target.name,
        settings=SCORED,
    )


def shown(task: Task, reports: Sequence[Report]) -> str:
    """The mean score of a method's seeds with its interval, and what is missing."""
    scores = [report.score for report in reports if report.score is not None]
    missing = sum(report.missing for report in reports)
    told = f", {missing} of {sum(report.n for report in reports)} missing" if missing else ""
    bounds = interval_over_seeds(task.metric, reports)
    if bounds is None or not scores:
        return f"–{told}"
    return f"{fmean(scores):.3f} [{bounds[0]:.3f}, {bounds[1]:.3f}]{told}"


def gap(task: Task, first: Sequence[Report], second: Sequence[Report]) -> str:
    """A single difference, with its verdict."""
    (told,) = judged([paired(task.metric, first, second)])
    return told


def judged(found: Sequence[Paired | None]) -> list[str]:
    """Differences with their verdicts, adjusted for how many they are."""
    adjusted = iter(holm([each.p for each in found if each is not None]))
    return [
        "–"
        if each is None
        else f"{each.difference:+.3f} [{each.low:+.3f}, {each.high:+.3f}], "
        f"{verdict(each, next(adjusted)).partition(',')[0]}"
        for each in found
    ]


def gained(task: Task, first: Sequence[Report], second: Sequence[Report]) -> float:
    """A paired difference; 0 where no row was answered by both."""
    found = paired(task.metric, first, second)
    return 0.0 if found is None else found.difference


def over_tasks(gains: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """The mean gain over zero-shot of each contender."""
    yield "## Less zero-shot, over tasks"
    yield ""
    yield "| prompt, proposer | tasks | mean difference |"
    yield "| --- | --- | --- |"
    for name, each in gains.items():
        mean, n = fmean(each), len(each)
        half = float(student.ppf(0.975, n - 1)) * stdev(each) / math.sqrt(n)
        yield f"| {name} | {n} | {mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}] |"


if __name__ == "__main__":
    main(sys.argv[1:])
