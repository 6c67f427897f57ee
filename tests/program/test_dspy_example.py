"""DSPy's examples and metrics serve as ours, known by what they can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from afina.errors import DataError, InputError
from afina.program.dspy_example import Record, examples_of, judged_by
from afina.program.feedback import Feedback
from afina.task.example import Example
from afina.task.signature import Signature

SIGNATURE = Signature.parse("question, n: int -> reasoning, answer: yes | no")


@dataclass(frozen=True)
class Theirs:
    """As much of dspy.Example as we look at; the interpreter with dspy has the real one."""

    whole: Mapping[str, object]
    told: tuple[str, ...]

    def toDict(self) -> Mapping[str, object]:  # noqa: N802
        return self.whole

    def inputs(self) -> "Theirs":
        return Theirs({name: self.whole[name] for name in self.told}, self.told)


def test_examples_are_read_with_their_inputs_told() -> None:
    given = Theirs({"question": "q", "n": 3, "answer": "yes", "note": "x"}, ("question", "n"))
    (found,) = examples_of([given], SIGNATURE)
    assert (found.inputs, found.outputs) == ({"question": "q", "n": 3}, {"answer": "yes"})


@pytest.mark.parametrize(
    ("whole", "told", "reason"),
    [
        ({"question": "q", "n": 3}, ("question", "n"), "it lacks 'answer'"),
        ({"question": "q", "answer": "yes"}, ("question",), "its inputs are question"),
        ({"question": "q", "n": "x", "answer": "yes"}, ("question", "n"), "example 2: "),
        ({"question": "q", "n": 3, "answer": "maybe"}, ("question", "n"), "maybe"),
    ],
)
def test_an_example_that_does_not_fit_is_told_by_its_number(
    whole: dict[str, object], told: tuple[str, ...], reason: str
) -> None:
    good = Theirs({"question": "q", "n": 3, "answer": "yes"}, ("question", "n"))
    with pytest.raises(DataError, match=reason):
        examples_of([good, Theirs(whole, told)], SIGNATURE)


EXAMPLE = Example.of({"question": "q"}, {"answer": "yes"}, "one")


def exact(example: Record, prediction: Record, trace: object = None) -> bool:
    assert trace is None
    assert example.question == example["question"] == example.get("question") == "q"
    assert "answer" in prediction
    assert prediction.get("gone") is None
    return example.answer == prediction.answer


def test_a_metric_is_called_as_dspy_calls_it() -> None:
    assert judged_by(exact, EXAMPLE, {"answer": "yes"}) == Feedback(1.0)
    assert judged_by(exact, EXAMPLE, {"answer": "no"}) == Feedback(0.0)


def test_a_score_with_feedback_keeps_its_words() -> None:
    def told(example: Record, prediction: Record, trace: object = None) -> SimpleNamespace:
        return SimpleNamespace(score=0.5, feedback="half right")

    assert judged_by(told, EXAMPLE, {"answer": "no"}) == Feedback(0.5, "half right")


@pytest.mark.parametrize("given", [None, "good", float("nan"), SimpleNamespace(score="x")])
def test_what_is_no_score_is_refused_with_the_example(given: object) -> None:
    def vague(example: Record, prediction: Record, trace: object = None) -> object:
        return given

    with pytest.raises(InputError, match=r"score.* of vague on the example 'one'"):
        judged_by(vague, EXAMPLE, {"answer": "no"})


def test_a_value_that_is_not_there_is_an_attribute_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no 'mood', but answer"):
        _ = Record({"answer": "x"}).mood
    assert list(Record({"answer": "x"})) == ["answer"]
    assert Record({"answer": "x"}).toDict() == {"answer": "x"}
