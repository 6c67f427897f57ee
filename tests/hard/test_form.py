"""The form says what is wanted of each type."""

from dataclasses import replace

import pytest

from afina.hard.form import form
from afina.task.signature import Signature


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ("answer", ""),
        ("answer: int", "Answer only with a whole number"),
        ("answer: float", "Answer only with a number"),
        ("answer: bool", "Answer only with true or false"),
        ("answer: list[str]", "Answer only with a JSON list of texts"),
        ('answer: yes | "no, never"', 'Answer only with one of: yes | "no, never"'),
        ("answer: choice", "Answer only with one label"),
        (
            "answer: spans",
            "Answer only with words that stand in the text, or [] where none answers",
        ),
        (
            "answer: spans[PER]",
            "Answer only with a JSON list of [first word, end, label], label one of: PER",
        ),
    ],
)
def test_one_output_is_named_by_its_type(outputs: str, wanted: str) -> None:
    assert form(Signature.parse(f"question -> {outputs}")) == wanted


def test_a_description_stands_behind_the_type() -> None:
    signature = Signature.parse("question -> answer")
    (answer,) = signature.outputs
    described = replace(signature, outputs=(replace(answer, description="in one word"),))
    assert form(described) == "Answer only with a text (in one word)"
