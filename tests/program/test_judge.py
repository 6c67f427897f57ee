"""Judges: what a trace is worth, and in which words."""

import pytest

from afina.errors import InputError
from afina.program.judge import Feedback, each_of, judge_of, judged
from afina.program.trace import Trace
from afina.task.metrics import METRICS
from tests.worlds.afina_side import task_of
from tests.worlds.desk import Desk

TASK = task_of(Desk(0), train=2, dev=2)
ROW = TASK.dev[0]


def test_the_tasks_metric_tells_what_was_expected() -> None:
    judge = judge_of(TASK)
    queue = ROW.outputs["queue"]
    assert judge(ROW, Trace((), {"queue": queue})) == Feedback(1.0, f"right; expected: {queue}")
    assert judge(ROW, Trace((), {"queue": "?"})) == Feedback(0.0, f"wrong; expected: {queue}")


def test_hits_stand_for_a_metric_that_counts_them() -> None:
    for name in ("macro-f1", "mcc"):
        assert each_of(METRICS[name])("a", "a") == 1
    assert 0 < each_of(METRICS["bleu"])("a cat sat", "a cat ran") < 1
    with pytest.raises(InputError, match="'pearson', which needs them all at once; give a judge"):
        each_of(METRICS["pearson"])


def test_a_plain_number_is_a_score_without_words() -> None:
    assert judged(lambda example, trace: 0.5, ROW, Trace((), {})) == Feedback(0.5, "")
