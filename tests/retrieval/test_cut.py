"""Passages: no word is lost, none is too long, and they end where a reader would end them."""

import random
from itertools import pairwise

import pytest

from afina.errors import InputError
from afina.retrieval.cut import Cutting, cut


def passages(text: str, words: int, overlap: int = 0) -> list[str]:
    return [text[start:end] for start, end in cut(text, Cutting(words, overlap))]


def generated(seed: int) -> str:
    """Paragraphs of sentences of all lengths, with odd spaces between."""
    chance = random.Random(seed)
    text = ""
    for number in range(chance.randint(0, 120)):
        text += f"w{number}" + chance.choice(["", "", "", ".", "!", '."', ",", "…"])
        text += chance.choice([" ", " ", " ", "\n", "\n\n", " \n \n\n", "\t"])
    return text


@pytest.mark.parametrize("seed", range(60))
def test_every_word_is_in_a_passage_and_none_is_longer_than_asked(seed: int) -> None:
    text = generated(seed)
    chance = random.Random(seed)
    most = chance.randint(1, 30)
    cutting = Cutting(most, chance.randint(0, most - 1))
    spans = cut(text, cutting)
    covered = {at for start, end in spans for at in range(start, end)}
    assert all(at in covered for at, letter in enumerate(text) if not letter.isspace())
    for start, end in spans:
        assert len(text[start:end].split()) <= most
        assert text[start:end] == text[start:end].strip() != ""


@pytest.mark.parametrize("seed", range(60))
def test_passages_go_on_and_repeat_no_more_than_asked(seed: int) -> None:
    text = generated(seed)
    most = random.Random(seed).randint(2, 30)
    overlap = most // 3
    spans = cut(text, Cutting(most, overlap))
    for (start, end), (after, last) in pairwise(spans):
        assert start < after
        assert end < last
        assert len(text[after:end].split()) <= overlap


def test_without_overlap_the_passages_are_the_text() -> None:
    for seed in range(30):
        text = generated(seed)
        assert " ".join(passages(text, 7)).split() == text.split()


def test_sentences_stay_whole() -> None:
    text = "One two three. Four five six. Seven eight nine."
    assert passages(text, 7) == ["One two three. Four five six.", "Seven eight nine."]


def test_a_passage_takes_the_last_sentence_of_the_one_before() -> None:
    text = "One two three. Four five. Six seven eight."
    assert passages(text, 6, overlap=2) == [
        "One two three. Four five.",
        "Four five. Six seven eight.",
    ]


def test_a_passage_that_is_half_full_ends_with_its_paragraph() -> None:
    text = "One two three four.\n\nFive six. Seven eight nine ten."
    assert passages(text, 7) == ["One two three four.", "Five six. Seven eight nine ten."]


def test_a_paragraph_that_fits_goes_with_the_one_before() -> None:
    text = "One two three four.\n\nFive six."
    assert passages(text, 7) == [text]


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    assert passages("a b c d e", 2) == ["a b", "c d", "e"]


def test_a_text_without_words_has_no_passage() -> None:
    assert passages(" \n\n ", 5) == []


@pytest.mark.parametrize(("words", "overlap"), [(0, 0), (10, 10), (10, -1), (-5, 0)])
def test_lengths_that_make_no_passage_are_refused(words: int, overlap: int) -> None:
    with pytest.raises(InputError, match=f"got {words} words, of which {overlap} are repeated"):
        Cutting(words, overlap)


def test_a_passage_that_begins_a_paragraph_repeats_nothing() -> None:
    text = "One two three four.\n\nFive six. Seven eight nine ten."
    assert passages(text, 7, overlap=4) == [
        *("One two three four.", "Five six. Seven eight nine ten.")
    ]
