"""The majority gives the commonest answer of training, and of numbers their middle."""

import json
from dataclasses import replace

import pytest

from afina.errors import ArtefactError
from afina.packed import restore
from afina.solver import Packed, Span, Value
from afina.task.metrics import metric_named
from afina.task.signature import Signature
from afina.task.task import Task
from afina.yardsticks.majority import Majority, most_common, unpack_majority
from tests.training.tiny_task import review_task, task_from

SPANS: Value = [Span(0, 2, "PER"), Span(3, 4, "LOC")]


def task_of(*answers: Value, kind: str = "str", metric: str = "accuracy") -> Task:
    """A task whose train split has these answers."""
    rows: list[tuple[Value, Value]] = [(f"text {at}", each) for at, each in enumerate(answers)]
    signature = Signature.parse(f"text -> answer: {kind}")
    return task_from(signature, [*rows, *rows[:2]], dev=1, metric=metric)


def test_the_commonest_answer_is_given_to_everything() -> None:
    solver = most_common(task_of("a", "b", "b", "c"))
    predictions = solver([{"text": "x"}, {"text": ""}])
    assert [each.outputs for each in predictions] == [{"answer": "b"}] * 2
    assert solver.parameters == 0


def test_of_equally_common_answers_the_first_seen_is_given() -> None:
    assert most_common(task_of("c", "b", "a", "b", "c")).answer == "c"


def test_dev_is_not_looked_at() -> None:
    """Broken by counting all examples."""
    task = review_task(train=3, dev=9)
    assert [example.outputs["sentiment"] for example in task.train].count("positive") == 2
    other = replace(task, dev=tuple(e for e in task.dev if e.outputs["sentiment"] == "negative"))
    assert most_common(other).answer == "positive"


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_numbers_are_answered_by_their_mean_and_whole_ones_by_their_median(metric: str) -> None:
    """Broken by the commonest answer, by the mean of whole numbers, and by a half between two."""
    mean = most_common(task_of(0.0, 0.0, 1.5, 4.5, kind="float", metric=metric))
    median = most_common(task_of(0, 0, 3, 4, 4, 4, kind="int", metric=metric))
    assert (mean.answer, median.answer) == (1.5, 3)
    assert type(median.answer) is int
    for solver in (mean, median):
        packed = solver.pack()
        assert restore(replace(packed, settings=json.loads(json.dumps(packed.settings)))) == solver


def test_numbers_that_are_right_or_wrong_are_answered_by_the_commonest() -> None:
    assert most_common(task_of(0.0, 0.0, 1.5, 4.5, kind="float")).answer == 0.0
    assert most_common(task_of(1, 1, 3, 4, 9, kind="int", metric="macro-f1")).answer == 1


def test_a_mean_of_huge_numbers_is_a_number() -> None:
    """Broken by statistics.fmean, whose sum overflows."""
    assert most_common(task_of(1.5e308, 1.5e308, kind="float", metric="pearson")).answer == 1.5e308


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        ([False, True, False], False),
        ([1, True, 1], 1),
        ([0.0, 1.5, 0.0], 0.0),
        (["", "x", ""], ""),
        ([["a", "b"], ["a"], ["a", "b"]], ["a", "b"]),
        ([[], [], SPANS], []),
        ([SPANS, SPANS, []], SPANS),
    ],
)
def test_an_answer_of_any_type_is_packed_as_it_is(answers: list[Value], winner: Value) -> None:
    """FAULTS 13 and DESIGN 6.3. Broken by JSON, which makes lists of spans, and by ``or``."""
    solver = most_common(task_of(*answers))
    assert (solver.answer, type(solver.answer)) == (winner, type(winner))
    packed = solver.pack()
    again = restore(replace(packed, settings=json.loads(json.dumps(packed.settings))))
    assert again == solver
    assert isinstance(again, Majority)
    assert type(again.answer) is type(winner)
    if winner == SPANS:
        assert isinstance(again.answer, list)
        assert all(isinstance(part, Span) for part in again.answer)
        assert metric_named("entity-f1").score([again.answer], [SPANS]) == 1.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"target": "answer"},
        {"answer": "a"},
        {"target": 3, "answer": "a"},
        {"target": "answer", "answer": None},
        {"target": "answer", "answer": {"a": 1}},
        {"target": "answer", "answer": [[0, 1]]},
        {"target": "answer", "answer": [["x", 1, "PER"]]},
        {"target": "answer", "answer": [3]},
    ],
)
def test_a_garbled_bundle_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ArtefactError, match=r"expected (a target and its|an answer of texts)"):
        unpack_majority(Packed("majority", settings))
