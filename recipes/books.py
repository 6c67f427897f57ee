"""Plain text of public-domain books, and sortings of their sentences."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from recipes.episode import Episode, Row
from recipes.sorting import Draw, Sorting

SENTENCE = re.compile(r"[^.!?]+[.!?][”’]?\s")
QUOTES = str.maketrans("“”‘’", "\"\"''")
WORD = re.compile(r"[a-z]+")
MOST_WORDS = 28


@dataclass(frozen=True)
class Books:
    """Books by their names; a name is the author's and the title's words with ``_`` between."""

    texts: dict[str, str]

    @classmethod
    def at(cls, folder: Path) -> "Books":
        """All books of a folder, in the order of their names."""
        return cls({path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))})

    @cached_property
    def sentences(self) -> dict[str, tuple[str, ...]]:
        """Each book's sentences of five words to MOST_WORDS."""
        found = {}
        for name, text in self.texts.items():
            whole = (straight(each.group().strip()) for each in SENTENCE.finditer(text))
            found[name] = tuple(
                each for each in whole if 5 <= each.count(" ") < MOST_WORDS and "\n" not in each
            )
        return found

    @cached_property
    def by_word(self) -> dict[str, tuple[str, ...]]:
        """Sentences by a word of theirs, for words that are neither rare nor everywhere."""
        places: dict[str, list[str]] = {}
        for sentences in self.sentences.values():
            for sentence in sentences[::3]:
                for word in set(WORD.findall(sentence.lower())):
                    places.setdefault(word, []).append(sentence)
        return {
            word: tuple(found)
            for word, found in sorted(places.items())
            if len(word) > 3 and 40 <= len(found) <= 1500
        }

    @cached_property
    def words(self) -> list[str]:
        """The words of ``by_word``."""
        return list(self.by_word)

    def by_book(self, draw: Random) -> Sorting:
        """Sentences by the book they are from; its author stands for it."""
        names = draw.sample(list(self.sentences), draw.choice([2, 2, 2, 3]))
        authors = [author(name) for name in names]
        if len(set(authors)) < len(authors):
            return self.by_book(draw)
        classes: dict[str, Draw] = {
            who: self.drawn(self.sentences[name]) for who, name in zip(authors, names, strict=True)
        }
        return Sorting(classes, ["sentence", "passage"], ["author", "writer"], ["Who wrote it?"])

    def by_topic(self, draw: Random) -> Sorting:
        """Sentences by which of a few words they hold."""
        names = draw.sample(self.words, draw.choice([2, 2, 3]))
        classes = {name: self.drawn(self.by_word[name]) for name in names}
        asks = ["Which word stands in the {input}: {classes}?", "What is it about, {classes}?"]
        return Sorting(classes, ["sentence", "text"], ["topic", "word", "theme"], asks)

    def by_manner(self, draw: Random) -> Sorting:
        """Sentences by whether somebody asks, tells or exclaims; the sign at the end is gone."""
        signs = {"question": "?", "statement": ".", "exclamation": "!"}
        names = draw.sample(list(signs), draw.choice([2, 3]))
        some = draw.sample(list(self.sentences), 12)
        classes: dict[str, Draw] = {}
        for name in names:
            found = [
                sentence.rstrip("\"'").removesuffix(signs[name])
                for book in some
                for sentence in self.sentences[book][:600]
                if sentence.rstrip("\"'").endswith(signs[name])
            ]
            if not found:
                return self.by_manner(draw)
            classes[name] = self.drawn(tuple(found))
        return Sorting(classes, ["sentence"], ["manner", "kind"], ["Is it {classes}?"])

    def blanks(self, draw: Random, count: int) -> Episode:
        """Sentences with a word left out, and two words to choose from."""
        rows: list[Row] = []
        for _ in range(count):
            word, other = draw.sample(self.words, 2)
            sentence = draw.choice(self.by_word[word])
            gap = re.sub(rf"\b{word}\b", "___", sentence, flags=re.IGNORECASE)
            both = draw.sample([word, other], 2)
            rows.append((gap, " or ".join(both), word))
        ask = draw.choice(
            ["Which word is missing?", "Fill the blank.", "Choose the word that fits."]
        )
        return Episode.of(["sentence", "options"], "word", rows, instruction=ask)

    def drawn(self, sentences: tuple[str, ...]) -> Draw:
        """One of some sentences."""
        return lambda draw: draw.choice(sentences)


def straight(text: str) -> str:
    """A text with the quotation marks that people type."""
    return text.translate(QUOTES)


def author(name: str) -> str:
    """The last word of an author's name.

    >>> author("jane-austen_pride-and-prejudice")
    'Austen'
    """
    return name.partition("_")[0].rpartition("-")[2].title()
