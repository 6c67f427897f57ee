"""Trials: held-out tasks put to a model with other words and other examples each time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from afina.evaluation.compare import Comparison, Entry, compare
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.hard.demonstrations import choose_demonstrations
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.lm.lm import LM
from afina.task.example import Example
from afina.task.metrics import accuracy, mean_of
from afina.task.signature import Choice, Signature
from afina.task.task import load_task
from recipes import held_out
from recipes.asking import EDIT_ASKS, edits
from recipes.episode import Episode
from recipes.generated import kind_of_thing

SHOTS = (1, 4, 8)
SEEDS = range(5)
ROWS = 500  # at most, of dev or made
SENTENCES = 200  # about things of two kinds: there are not many more
POOL = 64  # rows that examples are taken from
LONGEST = 160  # characters of an example's inputs; eight of them and a row must fit 512 tokens
CALLS = CallSettings(max_tokens=24)


@dataclass(frozen=True)
class Trial:
    """A task with the instructions it is tried under; ``wrong`` asks for something else."""

    name: str
    signature: Signature
    rows: tuple[Example, ...]
    pool: tuple[Example, ...]
    wrong: str


@dataclass(frozen=True)
class Way:
    """How a task is put: its instruction, how many examples, and words for its labels."""

    name: str
    instruction: str
    shots: int = 0
    words: Mapping[str, str] = field(default_factory=dict)


def ways(trial: Trial) -> list[Way]:
    """All ways that a trial's task is put to a model."""
    right = trial.signature.instruction
    found = [
        Way("no instruction", ""),
        Way("its instruction", right),
        Way("a wrong one", trial.wrong),
    ]
    found += [Way(f"its instruction, {count} shown", right, count) for count in SHOTS]
    last = SHOTS[-1]
    found.append(Way(f"no instruction, {last} shown", "", last))
    match trial.signature.target.type:
        case Choice(labels):
            plain = {label: in_words(label) for label in labels}
            if list(plain) != list(plain.values()):
                found += [
                    Way("its instruction, labels in plain words", right, 0, plain),
                    Way(f"the same, {last} shown", right, last, plain),
                ]
            letters = {label: chr(ord("A") + place) for place, label in enumerate(labels)}
            found += [
                Way("letters for labels, none shown", "", 0, letters),
                Way(f"letters for labels, {last} shown", "", last, letters),
            ]
    return found


def in_words(label: str) -> str:
    """A label written as words.

    >>> in_words("PlayMusic")
    'play music'
    """
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", label).lower()


def tried(trial: Trial, lm: LM, model: str) -> Comparison:
    """A trial's ways side by side; where examples are shown, with five draws of them."""
    entries = []
    for way in ways(trial):
        seeds = tuple(SEEDS) if way.shots else (0,)
        reports = tuple(report(trial, way, lm, model, seed) for seed in seeds)
        entries.append(Entry(way.name, model, seeds, reports))
    return compare(entries, mean_of(accuracy), task=trial.name)


def report(trial: Trial, way: Way, lm: LM, model: str, seed: int) -> Report:
    """What a model answers to one way with one draw of examples."""
    signature = replace(trial.signature, instruction=way.instruction)
    order = Random(seed).sample(range(len(trial.pool)), len(trial.pool))
    shown = choose_demonstrations(trial.pool, signature, count=way.shots, order=order)
    shown = tuple(Random(seed).sample(shown, len(shown)))
    solver = PromptSolver(Prompt.of(signature, shown), lm, model, way.words, CALLS)
    settings = EvaluationSettings(latency_sample=0)
    return evaluate(
        solver, trial.rows, mean_of(accuracy), field=signature.target.name, settings=settings
    )


def trials(tasks: Path) -> list[Trial]:
    """The held-out tasks: three sets, kinds of things and edits of texts."""
    sets = [from_folder(tasks / name) for name in ("uci_sentiment", "subj", "snips")]
    first, second, third, fourth, _ = held_out.CATEGORIES
    kinds = [from_kinds(first, second, seed=1), from_kinds(third, fourth, seed=2)]
    return [*sets, *kinds, *[from_edit(name, seed=3) for name in held_out.EDITS]]


def from_folder(folder: Path) -> Trial:
    """A set's task: its dev rows, and examples out of train."""
    task = load_task(folder).for_tuning()
    pool = [row for row in task.train if length(row) <= LONGEST]
    rows = [row for row in task.dev if length(row) <= 2 * LONGEST]
    return Trial(
        folder.name,
        task.signature,
        tuple(Random(0).sample(rows, min(ROWS, len(rows)))),
        tuple(Random(0).sample(pool, min(2 * POOL, len(pool)))),
        swapped(task.signature),
    )


def length(row: Example) -> int:
    """Characters of a row's inputs."""
    return sum(len(str(value)) for value in row.inputs.values())


def swapped(signature: Signature) -> str:
    """An instruction that asks for each label's neighbour in its place."""
    assert isinstance(signature.target.type, Choice)
    labels, given = signature.target.type.labels, signature.inputs[0].name
    both = zip(labels, labels[1:] + labels[:1], strict=True)
    rules = [f"Answer {other} if the {given} is {label}" for label, other in both]
    return ", ".join(rules) + "."


def from_kinds(one: str, other: str, *, seed: int) -> Trial:
    """Sentences about things of two kinds that no training named."""
    draw = Random(seed)
    drawn = {name: kind_of_thing(name, in_frame=True) for name in (one, other)}
    texts: dict[str, str] = {}
    while len(texts) < SENTENCES + POOL:
        name = draw.choice([one, other])
        texts[drawn[name](draw)] = name
    instruction = f"Say what kind of thing the sentence speaks of: {one} or {other}."
    rows = tuple(texts.items())
    episode = Episode.of(["sentence"], "kind", rows, instruction=instruction, labels=[one, other])
    return parted(f"{one} or {other}", episode, swapped(episode.signature))


def from_edit(name: str, *, seed: int) -> Trial:
    """Texts with an edit that no training named."""
    rows = edits(Random(seed), ROWS + POOL, [name]).rows
    right, wrong = (EDIT_ASKS[1].format(input="text", edit=each) for each in (name, "first word"))
    return parted(name, Episode.of(["text"], "answer", rows, instruction=right), wrong)


def parted(name: str, episode: Episode, wrong: str) -> Trial:
    """An episode's rows as those asked and those shown."""
    examples: Sequence[Example] = episode.examples()
    named = tuple(replace(each, id=str(place)) for place, each in enumerate(examples))
    return Trial(name, episode.signature, named[POOL:], named[:POOL], wrong)
