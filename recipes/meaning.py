"""Sortings by meaning: texts of many kinds, by which of a few nouns their vectors lie nearest to.

The vectors are builtin:minilm's, so what that model knows of words is put into conversations.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from afina.training.embedding import load_embedding
from recipes import held_out
from recipes.books import Books
from recipes.sets import Sets, one_of
from recipes.sorting import Sorting
from recipes.words import CATEGORIES

Floats = NDArray[np.float32]

MODEL = "builtin:minilm"
DRAWN = 1_500  # sentences of each book
WORD = re.compile(r"[a-z]+")
NOUN = re.compile(r"\b(?:the|a|an|his|her|of|my) ([a-z]{3,})\b(?! [a-z]+ing\b)")
OFTEN = 40  # times in the books, and
SHARE = 0.3  # so often behind an article or the like: taken for a noun
NEAR, KIN = 80, 12  # sentences, and other nouns, of a noun
LEAST = 0.38  # likeness to it
FEWEST = 4  # of them that must be left beside the other nouns chosen
WHOLE = 0.75  # of the sortings: by sentences
TRIES = 40  # draws of nouns
STEM = 4  # letters: a text that has a word beginning with a noun's does not tell its meaning
APART = 0.25  # most likeness of nouns that stand for classes side by side
CLEAR = 1.0  # deviations by which a text is nearer to its noun than to the others

SENTENCES, WORDS = ("text", "sentence", "message"), ("word", "name")
OUTPUTS = ("topic", "subject", "theme", "kind", "category", "word")
ASKS = (
    "What is the {input} about: {classes}?",
    "Which of these is the {input} nearest to: {classes}?",
    "Say what the {input} has to do with: {classes}.",
    "Does it make one think of {classes}?",
    "Choose the word that goes with the {input}: {classes}.",
)


@dataclass(frozen=True)
class Texts:
    """Texts with their vectors, and of each noun those that lie nearest."""

    texts: tuple[str, ...]
    vectors: Floats  # [texts, H]
    middle: Floats  # [nouns]: mean likeness of a noun to them
    spread: Floats  # [nouns]: its deviation
    near: tuple[NDArray[np.int64], ...]  # of each noun

    @classmethod
    def of(cls, texts: Sequence[str], vectors: Floats, nouns: "Nouns", most: int) -> "Texts":
        """At most so many texts a noun; none that holds a word of the same stem."""
        begun = [{word[:STEM] for word in WORD.findall(text.lower())} for text in texts]
        middle, spread, near = [], [], []
        for noun, own in zip(nouns.words, nouns.vectors, strict=True):
            likeness = vectors @ own
            middle.append(likeness.mean())
            spread.append(likeness.std())
            order = [at for at in np.argsort(-likeness)[: 4 * most] if likeness[at] >= LEAST]
            found = [at for at in order if noun[:STEM] not in begun[at]]
            near.append(np.array(found[:most], np.int64))
        return cls(tuple(texts), vectors, np.array(middle), np.array(spread), tuple(near))

    def clear(self, noun: int, chosen: Sequence[int], nouns: "Nouns") -> list[str]:
        """The texts near a noun that are clearly less near to the others chosen."""
        near, all_of, place = self.near[noun], list(chosen), list(chosen).index(noun)
        likeness = self.vectors[near] @ nouns.vectors[all_of].T
        likeness = (likeness - self.middle[all_of]) / self.spread[all_of]
        others = np.delete(likeness, place, axis=1).max(axis=1, initial=-np.inf)
        return [self.texts[at] for at in near[likeness[:, place] > others + CLEAR]]


@dataclass(frozen=True)
class Nouns:
    """Nouns with their vectors ``[nouns, H]``."""

    words: tuple[str, ...]
    vectors: Floats

    def apart(self, draw: Random, count: int) -> list[int]:
        """So many nouns that are not alike, or fewer where the draw finds no more."""
        found: list[int] = []
        for _ in range(TRIES):
            if len(found) == count:
                break
            noun = draw.randrange(len(self.words))
            if all(self.vectors[noun] @ self.vectors[other] < APART for other in found):
                found.append(noun)
        return found


@dataclass(frozen=True)
class Meanings:
    """Nouns, and the sentences and the other nouns that lie near them."""

    nouns: Nouns
    sentences: Texts
    kin: Texts

    @classmethod
    def of(cls, books: Books, sets: Sets, seed: int) -> "Meanings":
        """Of the books' nouns and sentences, and the sets' texts."""
        embed = load_embedding(MODEL).embed
        words, texts = nouns_of(books.texts.values()), texts_of(books, sets, Random(seed))
        nouns = Nouns(tuple(words), embed(words))
        return cls(
            nouns,
            Texts.of(texts, embed(texts), nouns, NEAR),
            Texts.of(words, nouns.vectors, nouns, KIN),
        )

    def by_meaning(self, draw: Random) -> Sorting:
        """Sentences, or words, by the noun that they are nearest to.

        Raises:
            ValueError: no nouns are found that have texts enough.
        """
        for _ in range(TRIES):
            chosen = self.nouns.apart(draw, draw.choice([2, 2, 2, 3, 3, 4, 5]))
            texts = self.sentences if draw.random() < WHOLE else self.kin
            found = [texts.clear(noun, chosen, self.nouns) for noun in chosen]
            if len(chosen) > 1 and min(map(len, found)) >= FEWEST:
                inputs = SENTENCES if texts is self.sentences else WORDS
                classes = {
                    self.nouns.words[noun]: one_of(own)
                    for noun, own in zip(chosen, found, strict=True)
                }
                return Sorting(classes, inputs, OUTPUTS, ASKS)
        raise ValueError(f"no nouns with {FEWEST} texts near each; give more texts")


def nouns_of(texts: Iterable[str]) -> list[str]:
    """Words that often stand behind an article or the like; none of a held-out kind."""
    all_of, behind = Counter[str](), Counter[str]()
    for text in texts:
        all_of.update(WORD.findall(text))
        behind.update(NOUN.findall(text))
    hidden = {word for name in held_out.CATEGORIES for word in (name, *CATEGORIES[name])}
    return sorted(
        word
        for word, count in behind.items()
        if count >= OFTEN and count / all_of[word] >= SHARE and word not in hidden
        and word.removesuffix("s") not in hidden
    )  # fmt: skip


def texts_of(books: Books, sets: Sets, draw: Random) -> list[str]:
    """Sentences of the books, requests, remarks on films, and texts with names."""
    found = [
        text
        for sentences in books.sentences.values()
        for text in draw.sample(sentences, min(DRAWN, len(sentences)))
    ]
    for by_label in (sets.intents, sets.moods):
        found += [text for texts in by_label.values() for text in texts]
    found += sorted({text for pairs in sets.entities.values() for text, _ in pairs})
    return found
