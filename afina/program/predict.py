"""Predict: the program of one prompt, which is asked once."""

from afina.hard.prompt import Prompt
from afina.program.program import Program
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Signature


def predict(signature: Signature) -> Program:
    """A signature's own prompt, as a program.

    >>> list(predict(Signature.parse("question -> answer")).prompts)
    ['answer']
    """
    return Program("predict", signature, {"answer": Prompt.of(signature)}, once, ONCE)


def once(steps: Steps, values: Values) -> Values:
    """Ask the only prompt."""
    return steps("answer", **values)


ONCE = {"flow": "predict"}
