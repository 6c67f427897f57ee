"""Runs until a reward is enough, and the best answer stands."""

import pytest

from afina.errors import InputError
from afina.lm.scripted import ScriptedLM
from afina.program.best_of import best_of
from afina.program.feedback import Feedback
from afina.program.predict import predict
from afina.program.running import traces_of
from afina.solver import Values
from afina.task.signature import Signature

INNER = predict(Signature.parse("question -> answer: int"))
ROW = {"question": "?"}


def reward(inputs: Values, outputs: Values) -> float:
    assert inputs == ROW
    return int(str(outputs["answer"])) % 100 / 10


@pytest.mark.parametrize(
    ("replies", "stands", "calls"),
    [
        (["10", "3", "5"], 10, 1),
        (["3", "10", "5"], 10, 2),
        (["3", "8", "5"], 8, 3),
        (["x", "8", "x"], 8, 3),
        (["8", "108", "7"], 8, 3),
    ],
)
def test_it_ends_where_the_reward_is_enough(replies: list[str], stands: int, calls: int) -> None:
    lm = ScriptedLM(replies)
    (trace,) = traces_of(best_of(INNER, reward, 3, temperature=0.5), [ROW], lm)
    assert trace.outputs == {"answer": stands}
    assert lm.calls == calls
    assert [each.temperature for each in lm.asked] == [0.0, 0.5, 0.5][:calls]
    assert [each.repeat for each in lm.asked] == [0, 1, 2][:calls]


def test_a_check_is_a_reward_of_true_or_false() -> None:
    program = best_of(INNER, lambda inputs, outputs: outputs["answer"] == 4)
    (trace,) = traces_of(program, [ROW], ScriptedLM(["3", "4"]))
    assert trace.outputs == {"answer": 4}


def test_where_nothing_can_be_read_the_row_is_missing() -> None:
    (trace,) = traces_of(best_of(INNER, reward, 2), [ROW], ScriptedLM(["x", "y"]))
    assert (trace.outputs, trace.fault) == (None, "reply")


@pytest.mark.parametrize("given", ["much", None, float("nan"), Feedback("x")])  # type: ignore[arg-type]
def test_a_reward_that_is_no_score_is_refused_by_its_name(given: object) -> None:
    def vague(inputs: Values, outputs: Values) -> float:
        return given  # type: ignore[return-value]

    with pytest.raises(InputError, match=r"a finite score.* of vague, got"):
        traces_of(best_of(INNER, vague), [ROW], ScriptedLM(["1"]))
