"""Tiny tasks in memory, of words that the tiny models' tokenizer knows."""

import random
from collections.abc import Sequence
from dataclasses import replace

from afina.solver import Span, Value, Values
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
    return task_of(signature, [({field: value}, answer) for value, answer in rows], dev, metric)


def task_of(
    signature: Signature, rows: Sequence[tuple[Values, Value]], dev: int, metric: str
) -> Task:
    """The same with inputs of any number."""
    examples = tuple(Example.of(inputs, {signature.target.name: answer}) for inputs, answer in rows)
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


def entity_task(train: int = 24, dev: int = 8) -> Task:
    """Runs of one or two good or bad words among others, marked with what they are."""
    chance = random.Random(3)
    rows: list[tuple[Value, Value]] = []
    for _ in range(train + dev + 1):
        words, spans = [], list[Span]()
        for label in chance.sample(["GOOD", "BAD"], chance.randint(1, 2)):
            words += chance.choices("it was the film plot this".split(), k=chance.randint(1, 3))
            own = chance.choices(GOOD if label == "GOOD" else BAD, k=chance.randint(1, 2))
            spans.append(Span(len(words), len(words) + len(own), label))
            words += own
        rows.append(([*words, "."], spans))
    signature = Signature.parse("tokens: list[str] -> entities: spans[GOOD | BAD]")
    return task_from(signature, rows, dev=dev, metric="entity-f1")


def question_task(train: int = 24, dev: int = 8, *, unanswerable: bool = False) -> Task:
    """Is it good or bad, and the words of the context that say so."""
    chance = random.Random(4)
    rows: list[tuple[Values, Value]] = []
    for number in range(train + dev + 1):
        good, bad = chance.choice(GOOD), chance.choice(BAD)
        parts = [f"it was a {good} film", f"the plot is {bad}"]
        chance.shuffle(parts)
        asked, answer = ("really good", good) if number % 2 else ("really bad", bad)
        if unanswerable and number % 3 == 0:
            parts, answer = [part for part in parts if answer not in part], ""
        context = " . ".join(parts)
        rows.append(({"context": context, "question": asked}, [answer] if answer else []))
    signature = Signature.parse("context, question -> answer: spans")
    return task_of(signature, rows, dev, "squad-f1")


def number_task(kind: str = "float", train: int = 24, dev: int = 8) -> Task:
    """How many good words a text has; as a float, a hundred and a half for each."""
    chance = random.Random(5)
    rows: list[tuple[Value, Value]] = []
    for _ in range(train + dev + 1):
        words = chance.choices([*GOOD, *BAD, "film", "plot"], k=6)
        count = sum(word in GOOD for word in words)
        rows.append((" ".join(words), count if kind == "int" else 100.5 * count))
    signature = Signature.parse(f"review -> stars: {kind}")
    return task_from(signature, rows, dev=dev, metric="spearman")


def pair_task(train: int = 24, dev: int = 8) -> Task:
    """Whether two reviews say the same."""
    chance = random.Random(6)
    rows: list[tuple[Values, Value]] = []
    for number in range(train + dev + 1):
        first = chance.choice([GOOD, BAD])
        same = number % 2 == 0
        second = first if same else (BAD if first is GOOD else GOOD)
        texts = [f"it was {chance.choice(words)}" for words in (first, second)]
        rows.append(({"one": texts[0], "other": texts[1]}, "yes" if same else "no"))
    signature = Signature.parse("one, other -> same: yes | no")
    return task_of(signature, rows, dev, "accuracy")
