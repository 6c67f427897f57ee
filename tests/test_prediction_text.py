"""A prediction as a line and as JSON."""

from afina.prediction_text import prediction_json, prediction_text
from afina.solver import Prediction, Span, Usage


def test_a_prediction_is_a_line_for_people_and_an_object_for_machines() -> None:
    inputs = {"review": "good\n\tfilm", "stars": 0}
    found = Prediction({"label": "a b", "spans": [Span(0, 1, "X")]}, {"p": 1}, Usage(1, 7), 0.25)
    assert prediction_text(inputs, found) == 'a b, [[0, 1, "X"]]\tgood film, 0'
    assert prediction_json(inputs, found) == {
        "inputs": inputs,
        "outputs": found.outputs,
        "evidence": {"p": 1},
        "tokens": 7,
        "seconds": 0.25,
        "cost": 0.0,
    }
    missing = Prediction(None, reason="timeout")
    assert prediction_text({"x": "a"}, missing) == "(missing: timeout)\ta"
    assert prediction_json({"x": "a"}, missing)["outputs"] is None
