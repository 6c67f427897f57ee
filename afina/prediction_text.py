"""An answer with what it rests on, as a line for people or as JSON."""

import json

from afina.solver import Prediction, Value, Values


def prediction_json(inputs: Values, prediction: Prediction) -> dict[str, object]:
    """A prediction as ``afina predict`` prints it."""
    return {
        "inputs": dict(inputs),
        "outputs": None if prediction.outputs is None else dict(prediction.outputs),
        "evidence": dict(prediction.evidence),
        "tokens": prediction.usage.tokens,
        "seconds": round(prediction.seconds, 6),
        "cost": prediction.usage.cost,
    }


def prediction_text(inputs: Values, prediction: Prediction) -> str:
    """A prediction in one line for a person: the answer, a tab, the inputs."""
    if prediction.outputs is None:
        answer = f"(missing: {prediction.reason})"
    else:
        answer = ", ".join(map(plain_text, prediction.outputs.values()))
    return f"{answer}\t{', '.join(map(plain_text, inputs.values()))}"


def plain_text(value: Value) -> str:
    """A value without a line break or a tab.

    >>> plain_text("two\\nlines"), plain_text(3), plain_text(["a", "b"])
    ('two lines', '3', '["a", "b"]')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())
