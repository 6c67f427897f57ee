"""Tiny tasks in memory, of words that the tiny models' tokenizer knows."""

import random
from collections.abc import Sequence
from dataclasses import replace

from afina.solver import Value
from afina.task.example import Example
from afina.task.metrics import metric_named
from afina.task.sealed import SealedSplit
from afina.task.signature import Signature
from afina.task.splits import Manifest
from afina.task.task import Task

GOOD = "good great bright liked fine nice happy quick".split()
BAD = "bad awful dull hated poor sad slow never".split()
PATTERNS = [
    "it was a {} film",
    "the plot is {} and {}",
    "i {} this one , really {} , it was so {} again and again",
    "{} ! not {}",
    "this film is very {} , no {} plot and so {} , yes",
]
INSTRUCTION = "is the review positive or negative"


def reviews(count: int, seed: int) -> list[tuple[str, bool]]:
    """Reviews of 4 to 15 words, half of them positive."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        words = BAD if number % 2 else GOOD
        pattern = chance.choice(PATTERNS)
        chosen = [chance.choice(words) for _ in range(pattern.count("{}"))]
        rows.append((f"{pattern.format(*chosen)}", number % 2 == 0))
    return rows


def task_from(
    signature: Signature,
    rows: Sequence[tuple[Value, Value]],
    *,
    dev: int,
    metric: str = "accuracy",
) -> Task:
    """A task of one input; the last ``dev`` rows but one are its dev split, the last its test."""
    field = signature.inputs[0].name
    examples = tuple(
        Example.of({field: value}, {signature.target.name: answer}) for value, answer in rows
    )
    splits = {"train": examples[: -dev - 1], "dev": examples[-dev - 1 : -1], "test": examples[-1:]}
    manifest = Manifest.of(splits, 0, {})
    return Task(
        name="tiny",
        signature=signature,
        metric=metric_named(metric),
        train=splits["train"],
        dev=splits["dev"],
        test=SealedSplit(splits["test"], manifest.digest),
        manifest=manifest,
        digest=manifest.digest,
    )


def review_task(train: int = 24, dev: int = 12) -> Task:
    """Positive or negative, by words that say so."""
    signature = Signature.parse("review -> sentiment: positive | negative", INSTRUCTION)
    rows: list[tuple[Value, Value]] = [
        (text, "positive" if good else "negative")
        for text, good in reviews(train + dev + 1, seed=1)
    ]
    return task_from(signature, rows, dev=dev)


def worded_task(train: int = 24, dev: int = 12) -> Task:
    """The same, with words for the labels."""
    return replace(review_task(train, dev), words={"positive": "great", "negative": "awful"})


def text_task(train: int = 24, dev: int = 12) -> Task:
    """A review and the word it should be answered with, as free text."""
    signature = Signature.parse("review -> answer", INSTRUCTION)
    rows: list[tuple[Value, Value]] = [
        (text, "good film" if good else "bad") for text, good in reviews(train + dev + 1, seed=2)
    ]
    return task_from(signature, rows, dev=dev, metric="exact-match")
