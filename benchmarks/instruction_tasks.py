"""The tasks of the instruction search: eight of instruction induction, and clinc150 in part.

Instruction induction: Honovich et al. 2022, https://arxiv.org/abs/2205.10782; clinc150: Larson et
al. 2019, https://aclanthology.org/D19-1131.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from string import ascii_uppercase

from afina.task.example import Example
from afina.task.metrics import metric_named
from afina.task.sealed import SealedSplit
from afina.task.signature import Choice, Field, Signature, Text
from afina.task.splits import Manifest
from afina.task.task import Task, load_task

DATA = Path("/work/shared/data/instruction_induction")
CLINC = Path(__file__).parent / "tasks" / "clinc150"
CHOICES = (
    "sentiment",
    "word_in_context",
    "sentence_similarity",
    "first_word_letter",
    "second_word_letter",
)
TEXTS = ("larger_animal", "singular_to_plural", "antonyms")
CLASSES = 20  # of clinc150, drawn by seed 0
LONGEST = 120  # characters of a row
DEV, HELD_OUT = 100, 200  # rows at most
WORDS = {"not the same": "different"}  # as long as the other label of word_in_context


@dataclass(frozen=True)
class Case:
    """A task, rows that no search sees, and what people wrote to describe the task."""

    task: Task
    held_out: tuple[Example, ...] = field(repr=False)
    written: tuple[str, ...] = ()


def cases() -> list[Case]:
    """All nine."""
    return [*(induction(name) for name in (*CHOICES, *TEXTS)), clinc()]


def induction(name: str) -> Case:
    """One task: its first description is the instruction, the others are what people wrote.

    Half of the rows published for finding an instruction are train, half dev; those published for
    following it are held out.
    """
    first, *others = json.loads((DATA / "annotations" / f"{name}.json").read_text())["annotations"]
    seen, held_out = rows(name, "induce"), rows(name, "execute")
    known = {example.inputs["text"] for example in seen}
    seen = Random(0).sample(seen, len(seen))
    half = len(seen) // 2
    labels = sorted({str(each.outputs["answer"]) for each in [*seen, *held_out]})
    kind = Choice(tuple(labels)) if name in CHOICES else Text()
    signature = Signature((Field("text", Text()),), (Field("answer", kind),), first)
    task = task_of(name, signature, seen[:half], seen[half:])
    apart = tuple(each for each in held_out if each.inputs["text"] not in known)
    return Case(replace(task, words=words_of(labels)), apart, tuple(others))


def rows(name: str, part: str) -> list[Example]:
    """The rows of a file that are short enough."""
    kept = json.loads((DATA / part / f"{name}.json").read_text())["examples"].values()
    made = [Example.of({"text": row["input"]}, {"answer": row["output"]}) for row in kept]
    return list({each.id: each for each in made if is_short(each)}.values())


def is_short(example: Example) -> bool:
    return len(str(example.inputs["text"])) <= LONGEST


def words_of(labels: Sequence[str]) -> Mapping[str, str]:
    """Words for the labels that would lose by their length: ratings are their figures."""
    ratings = {label: label[0] for label in labels if label[:1].isdigit()}
    return ratings or {label: WORDS[label] for label in labels if label in WORDS}


def clinc() -> Case:
    """Twenty intents as letters; dev and the rows held out are both of the published dev."""
    whole, chance = load_task(CLINC), Random(0)
    target = whole.signature.target
    assert isinstance(target.type, Choice)
    inside = [label for label in target.type.labels if label != "oos"]
    labels = tuple(sorted(chance.sample(inside, CLASSES)))

    def of(examples: Sequence[Example]) -> list[Example]:
        there = [each for each in examples if each.outputs[target.name] in labels]
        there = [each for each in there if is_short(each)]
        return chance.sample(there, len(there))

    signature = replace(whole.signature, outputs=(replace(target, type=Choice(labels)),))
    train, dev = of(whole.train), of(whole.dev)
    task = task_of("clinc150", signature, train, dev[:DEV])
    words = dict(zip(labels, ascii_uppercase, strict=False))
    return Case(replace(task, words=words), tuple(dev[DEV : DEV + HELD_OUT]))


def task_of(
    name: str, signature: Signature, train: Sequence[Example], dev: Sequence[Example]
) -> Task:
    """Rows as a task without a test."""
    splits: dict[str, tuple[Example, ...]] = {"train": tuple(train), "dev": tuple(dev), "test": ()}
    manifest = Manifest.of(splits, 0, {})
    return Task(
        name=name,
        signature=signature,
        metric=metric_named(
            "accuracy" if isinstance(signature.target.type, Choice) else "exact-match"
        ),
        train=splits["train"],
        dev=splits["dev"],
        test=SealedSplit((), manifest.digest),
        manifest=manifest,
        digest=manifest.digest,
    )
