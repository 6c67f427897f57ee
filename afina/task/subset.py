"""A part of train: fewer examples, the same for a seed, each part within every larger one."""

from collections.abc import Sequence
from dataclasses import replace

from afina.errors import InputError
from afina.task.example import Example
from afina.task.signature import Choice
from afina.task.splits import seeded
from afina.task.task import Task


def with_examples(task: Task, count: int, seed: int) -> Task:
    """The task with ``count`` examples of train, or with all where ``count`` is 0.

    Dev, test and the task's digest stay: scores are on the same examples.

    Raises:
        InputError: train has fewer.
    """
    if count == 0:
        return task
    if count > len(task.train):
        raise InputError(
            f"expected at most {len(task.train)} examples, as many as train has, got {count}"
        )
    chosen = set(nested(task.train, labelled_by(task), seed)[:count])
    kept = tuple(example for place, example in enumerate(task.train) if place in chosen)
    return replace(task, train=kept)


def labelled_by(task: Task) -> str:
    """The output whose labels keep their shares; "" where it has no labels."""
    target = task.signature.target
    return target.name if isinstance(target.type, Choice) else ""


def nested(examples: Sequence[Example], target: str, seed: int) -> list[int]:
    """All places, in an order of which every beginning has each label's share.

    The k-th of a label's n examples stands at (k + ½) / n of the whole.
    """
    labels: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        label = str(example.outputs[target]) if target else ""
        labels.setdefault(label, []).append(place)
    spots: list[tuple[float, int, int]] = []
    for places in labels.values():
        drawn = sorted(places, key=lambda place: seeded(seed, examples[place].content))
        spots += [
            ((rank + 0.5) / len(drawn), seeded(seed, examples[place].content), place)
            for rank, place in enumerate(drawn)
        ]
    return [place for _, _, place in sorted(spots)]
