"""The majority gives the commonest answer of training, of whatever type it is."""

import json
from dataclasses import replace

import pytest

from afina.errors import ArtefactError
from afina.methods import restore
from afina.solver import Packed, Span, Value
from afina.task.metrics import metric_named
from afina.task.signature import Signature
from afina.task.task import Task
from afina.yardsticks.majority import Majority, most_common, unpack_majority
from tests.training.tiny_task import review_task, task_from

SPANS: Value = [Span(0, 2, "PER"), Span(3, 4, "LOC")]


def task_of(*answers: Value, kind: str = "str") -> Task:
    """A task whose train split has these answers."""
    rows: list[tuple[Value, Value]] = [(f"text {at}", each) for at, each in enumerate(answers)]
    return task_from(Signature.parse(f"text -> answer: {kind}"), [*rows, *rows[:2]], dev=1)


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
