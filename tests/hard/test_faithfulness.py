"""Faithfulness is a share of words that anyone can count again."""

import random
import re

import pytest

from afina.hard.faithfulness import faithfulness

BREAD = "Flour, water and salt rest for a night. The dough of 1835 was sour."
SEA = "Waves are moved by the wind; the Who sang of the sea."


@pytest.mark.parametrize(
    ("answer", "passages", "share"),
    [
        ("flour", [BREAD], 1.0),
        ("FLOUR and salt.", [SEA, BREAD], 1.0),
        ("sugar", [BREAD], 0.0),
        ("flour, sugar", [BREAD], 1 / 2),
        ("The dough is sour and the waves are moved.", [BREAD, SEA], 2 / 4),  # best of each: 2
        ("The dough is sour. The waves are moved.", [BREAD, SEA], 1.0),  # a sentence each
        ("1835", [BREAD], 1.0),
        ("183", [BREAD], 0.0),
        ("ﬂour", [BREAD], 1.0),  # a ligature is the same letters
        ("flour", [], 0.0),
        ("The Who", [SEA], 1.0),  # nothing but function words: they count
        ("The Who", [BREAD], 1 / 2),
    ],
)
def test_it_is_the_share_of_content_words_in_the_passage_that_holds_most(
    answer: str, passages: list[str], share: float
) -> None:
    assert faithfulness(answer, passages) == pytest.approx(share)


@pytest.mark.parametrize("answer", ["", "Yes.", "no", "...", "\n"])
def test_an_answer_that_says_nothing_is_not_measured(answer: str) -> None:
    assert faithfulness(answer, [BREAD]) is None


def test_words_that_stand_in_a_passage_have_1_whatever_stretch_they_are() -> None:
    chance = random.Random(0)
    alphabet = ["flour", "a", "The", "sea.", "1,835", "naïve", "«wind»", "of", "no", "x-y", "Dr.\n"]
    for _ in range(2_000):
        text = " ".join(chance.choices(alphabet, k=12))
        start, end = sorted(chance.sample(range(len(text) + 1), 2))
        while start > 0 and re.match(r"\w", text[start - 1]):
            start -= 1
        while end < len(text) and re.match(r"\w", text[end]):
            end += 1
        assert faithfulness(text[start:end], ["else", text]) in (1.0, None), text[start:end]


def test_another_passage_never_lowers_it() -> None:
    chance = random.Random(1)
    pool = (BREAD + " " + SEA).split()
    for _ in range(300):
        answer, one, other = (" ".join(chance.choices(pool, k=k)) for k in (6, 8, 8))
        alone, both = faithfulness(answer, [one]), faithfulness(answer, [one, other])
        if alone is not None:
            assert both is not None
            assert 0 <= alone <= both <= 1
