"""What the evidence favours turns where the papers' cases turn: by examples and by size."""

import pytest

from afina.evaluation.favoured import FEW, LARGE, MANY, favoured

WORDS = ("zero-shot", "few-shot")
SMALL = 20_000_000


@pytest.mark.parametrize(
    ("examples", "parameters", "methods"),
    [
        (MANY - 1, None, ["gepa"]),
        (MANY, None, ["mipro"]),
        (FEW - 1, None, ["gepa"]),
        (FEW - 1, SMALL, ["multitask-prompt-tuning", "p-tuning-v2", "prefix-tuning"]),
        (FEW, SMALL, ["p-tuning-v2", "prefix-tuning"]),
        (MANY - 1, SMALL, ["p-tuning-v2", "prefix-tuning"]),
        (MANY, SMALL, ["p-tuning-v2"]),
        (MANY, LARGE - 1, ["p-tuning-v2"]),
        (MANY, LARGE, ["prompt-tuning"]),
        (FEW - 1, LARGE, ["multitask-prompt-tuning", "prompt-tuning"]),
    ],
)
def test_methods_behind_those_in_words(
    examples: int, parameters: int | None, methods: list[str]
) -> None:
    first, *others = favoured(examples, parameters)
    assert first.methods == WORDS
    assert [name for each in others for name in each.methods] == methods


def test_the_borders_are_those_that_the_docs_tell() -> None:
    assert (FEW, MANY, LARGE) == (64, 1_000, 1_000_000_000)


def test_reasons_tell_the_numbers_that_they_rest_on() -> None:
    told = " ".join(each.reason for each in favoured(16, SMALL))
    assert "of the 16 there are" in told
    assert "with 16 examples" in told
    assert "a model of 20,000,000 parameters is small" in told
