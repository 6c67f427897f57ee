"""Sortings by meaning: nouns that name no held-out kind, and texts that are near one of them."""

from random import Random

import pytest

from recipes import held_out, meaning
from recipes.books import Books
from recipes.meaning import Meanings, nouns_of
from recipes.sets import Sets
from recipes.words import CATEGORIES

SAID = {
    "kitchen": "She put the pot on the hot stove. Wash the dishes in the sink. "
    "He baked bread in the oven and cooked dinner. The fridge stands beside the stove.",
    "weather": "It rained all day and the sky was grey. Snow is falling and it is very cold. "
    "A hot and sunny afternoon is expected. The clouds brought thunder again.",
    "church": "The priest prayed before the altar. They sang a hymn on Sunday morning. "
    "A bishop gave his blessing to them. We heard the sermon and said amen.",
    "money": "He paid ten dollars for it in cash. I owe the bank a large sum. "
    "She earns a good salary every month. What is the price of those coins?",
}
NAMED = "He saw the kitchen and the weather and the church and his money and the iron there. "


@pytest.fixture(scope="module")
def meanings() -> Meanings:
    text = " ".join(SAID.values()) + " "
    return Meanings.of(Books({"some-writer_a-book": text + NAMED * 50}), Sets({}, {}, {}), seed=0)


def test_nouns_stand_behind_articles_and_name_nothing_held_out() -> None:
    text = "the garden and the iron and quickly the iron gardens. a trumpet, the flowers. " * 50
    assert nouns_of([text]) == ["garden"]
    hidden = {word for name in held_out.CATEGORIES for word in (name, *CATEGORIES[name])}
    assert {"iron", "trumpet", "flower"} <= hidden


def test_texts_go_with_the_noun_they_are_nearest_to(
    meanings: Meanings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "FEWEST", 1)
    assert set(meanings.nouns.words) == set(SAID)
    draw, seen = Random(0), set()
    for _ in range(60):
        sorting = meanings.by_meaning(draw)
        assert len(sorting.classes) > 1
        for noun, drawn in sorting.classes.items():
            text = drawn(draw)
            assert noun not in text
            if text not in meanings.nouns.words:
                assert text in SAID[noun], (noun, text)
                seen.add(noun)
    assert seen == set(SAID)


def test_too_few_texts_are_told(meanings: Meanings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "FEWEST", 100)
    with pytest.raises(ValueError, match="100 texts near each; give more texts"):
        meanings.by_meaning(Random(0))
