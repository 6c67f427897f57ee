"""A judge: what a trace is worth, with words about it where there are any."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from afina.errors import AfinaError, InputError
from afina.hard.form import say
from afina.program.trace import Trace
from afina.solver import Value
from afina.task.example import Example
from afina.task.metrics import COUNTED, Metric, accuracy, squad_f1
from afina.task.task import Task


@dataclass(frozen=True)
class Feedback:
    """A score, higher being better, and what a writer of instructions should know of it."""

    score: float
    text: str = ""


Judge = Callable[[Example, Trace], float | Feedback]


def judge_of(task: Task) -> Judge:
    """The task's metric as a judge, which tells what was expected.

    Raises:
        InputError: the metric says nothing about one example.
    """
    each, target = each_of(task.metric), task.signature.target

    def judge(example: Example, trace: Trace) -> Feedback:
        assert trace.outputs is not None
        wanted = example.outputs[target.name]
        score = each(trace.outputs[target.name], wanted)
        return Feedback(score, f"{graded(score)}; expected: {say(target, wanted)}")

    return judge


def graded(score: float) -> str:
    """A score in a word."""
    return "right" if score == 1 else "wrong" if score == 0 else f"in part, {score:.2f}"


def each_of(metric: Metric) -> Callable[[Value, Value], float]:
    """A metric's score of one example; of the whole's hits, where it counts hits.

    Raises:
        InputError: it compares all examples at once.
    """
    if metric.each is not None:
        return metric.each
    if metric.name in COUNTED:
        return accuracy
    if metric.name in ("bleu", "chrf"):
        return squad_f1
    raise InputError(
        f"expected a metric that scores each example, got {metric.name!r}, which needs them all at "
        "once; give a judge, or set another metric in task.toml"
    )


def judged(judge: Judge, example: Example, trace: Trace) -> Feedback:
    """What a judge says; raises InputError with the example where it cannot."""
    try:
        said = judge(example, trace)
        found = said if isinstance(said, Feedback) else Feedback(float(said))
    except AfinaError:
        raise
    except Exception as error:  # a user's own function may raise anything
        raise InputError(
            f"the metric failed at the example {example.id!r}: "
            f"{error.__class__.__name__}: {error}; mend it, what was answered is kept"
        ) from error
    if not math.isfinite(found.score):
        raise InputError(
            f"the metric gave {found.score!r} for the example {example.id!r}; expected a number"
        )
    return found
