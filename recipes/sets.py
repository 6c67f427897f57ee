"""Sortings and questions from permissively licensed sets: MR, CLINC150, WNUT17 and Wikigold.

Only their training rows are read. MR: Pang and Lee 2005, CC BY 4.0. CLINC150: Larson et al. 2019,
CC BY 3.0. WNUT17: Derczynski et al. 2017, CC BY 4.0. Wikigold: Balasuriya et al. 2009, CC BY 4.0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from recipes.episode import Episode, Row
from recipes.sorting import Draw, Sorting

SHORT = 30  # texts of an intent that may stand for it, the shortest
BEFORE = ("get", "ask", "find", "set", "make", "want", "show", "about", "do", "search")
ENTITIES = {"PER": "person", "person": "person", "LOC": "place", "location": "place",
            "ORG": "organisation", "corporation": "company", "product": "product",
            "group": "group", "creative-work": "work", "MISC": "name"}  # fmt: skip


@dataclass(frozen=True)
class Sets:
    """Texts by label of each set; entities with their texts by kind."""

    moods: Mapping[str, Sequence[str]]
    intents: Mapping[str, Sequence[str]]
    entities: Mapping[str, Sequence[tuple[str, str]]]

    @classmethod
    def at(cls, folder: Path) -> "Sets":
        """Read the sets that lie in a folder."""
        entities: dict[str, list[tuple[str, str]]] = {}
        for name in ("wnut17", "wikigold"):
            for kind, text, entity in read_entities(folder / name / "train.conll"):
                entities.setdefault(kind, []).append((text, entity))
        return cls(
            read_labelled(folder / "mr" / "train.tsv"),
            read_labelled(folder / "clinc150" / "train.tsv"),
            entities,
        )

    def by_mood(self, draw: Random) -> Sorting:
        """Sentences of film reviews by what they think of the film."""
        good, bad = draw.choice([("positive", "negative")] * 3 + [("good", "bad"), ("yes", "no")])
        asks = [
            f"Does the writer of the {{input}} like it? Answer {good} if so, else {bad}.",
            f"Say whether the {{input}} praises ({good}) or blames ({bad}).",
        ]
        if good != "yes":
            asks += ["Tell whether the {input} is {classes}.", "What does the {input} feel like?"]
        classes = {good: one_of(self.moods["1"]), bad: one_of(self.moods["0"])}
        inputs, outputs = ["review", "sentence", "text"], ["sentiment", "opinion", "mood"]
        return Sorting(classes, inputs, outputs, asks)

    def by_intent(self, draw: Random) -> Sorting:
        """Requests by what is wanted."""
        names = draw.sample(list(self.intents), draw.choice([2, 2, 3, 4, 5, 7]))
        labels = labels_of(names, draw)
        classes = {
            label: one_of(self.intents[name]) for label, name in zip(labels, names, strict=True)
        }
        asks = [
            "What does the user want?",
            "Name the intent of the {input}.",
            "Which request is it?",
        ]
        return Sorting(classes, ["text", "request", "message"], ["intent", "topic", "aim"], asks)

    def by_example(self, draw: Random) -> Sorting:
        """Requests by what is wanted; another request that wants it stands for it."""
        names = draw.sample(list(self.intents), draw.choice([2, 2, 3, 4]))
        classes = {
            draw.choice(sorted(self.intents[name], key=len)[:SHORT]): one_of(self.intents[name])
            for name in names
        }
        asks = [
            "Which of these means nearly the same as the {input}?",
            "Choose what says the same as the {input}: {classes}.",
            "Who says this, which of these does he say?",
            "Find the one that is most like the {input}.",
        ]
        inputs, outputs = ["text", "request", "message"], ["same", "nearest", "meaning"]
        return Sorting(classes, inputs, outputs, asks, common=False)

    def naming(self, draw: Random, count: int) -> Episode:
        """Sentences and the first name of one kind in each."""
        kind = draw.choice(list(self.entities))
        rows: list[Row] = [draw.choice(self.entities[kind]) for _ in range(count)]
        ask = draw.choice([f"Which {kind} is named?", f"Find the {kind}.", f"Copy the {kind} out."])
        return Episode.of(["text"], draw.choice([kind, "answer"]), rows, instruction=ask)


def one_of(texts: Sequence[str]) -> Draw:
    """One of some texts."""
    return lambda draw: draw.choice(texts)


def labels_of(names: Sequence[str], draw: Random) -> list[str]:
    """Labels for names whose words stand between ``_``, written one way, not always whole.

    So a model must read a label's words, and cannot know the labels by heart.
    """
    joined = draw.choice((" ".join, " ".join, "_".join, in_capitals))
    labels = [joined(some_words(name.split("_"), draw)) for name in names]
    return (
        labels if len(set(labels)) == len(labels) else [joined(name.split("_")) for name in names]
    )


def some_words(words: list[str], draw: Random) -> list[str]:
    """All words of a name, the other way round, the last alone, or that behind another."""
    ways = (words, words, words[::-1], words[-1:], [draw.choice(BEFORE), words[-1]])
    return draw.choice(ways)


def in_capitals(words: Iterable[str]) -> str:
    """Words without gaps, each with a capital.

    >>> in_capitals(["pay", "bill"])
    'PayBill'
    """
    return "".join(word[0].upper() + word[1:] for word in words)


def read_labelled(path: Path) -> dict[str, list[str]]:
    """Texts by their label, from lines of a text, a tab and a label."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        text, label = line.split("\t")[:2]
        if len(text.split()) <= 40:
            found.setdefault(label, []).append(text)
    return found


def read_entities(path: Path) -> list[tuple[str, str, str]]:
    """Of each sentence with names: the kind of its first name, the sentence, the name."""
    found = []
    for block in path.read_text().split("\n\n"):
        rows = [
            line.replace("\t", " ").rsplit(" ", 1)
            for line in block.splitlines()
            if " " in line or "\t" in line
        ]
        words, tags = [row[0].strip() for row in rows], [row[1] for row in rows]
        start = next((place for place, tag in enumerate(tags) if tag != "O"), None)
        if start is None or len(words) > 40:
            continue
        kind, end = tags[start].partition("-")[2], start + 1
        while end < len(tags) and tags[end] == f"I-{kind}":
            end += 1
        if kind in ENTITIES:
            found.append((ENTITIES[kind], " ".join(words), " ".join(words[start:end])))
    return found
