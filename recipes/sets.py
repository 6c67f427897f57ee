"""Sortings and questions from permissively licensed sets: MR, CLINC150, WNUT17 and Wikigold.

Only their training rows are read. MR: Pang and Lee 2005, CC BY 4.0. CLINC150: Larson et al. 2019,
CC BY 3.0. WNUT17: Derczynski et al. 2017, CC BY 4.0. Wikigold: Balasuriya et al. 2009, CC BY 4.0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from recipes.episode import Episode, Row
from recipes.sorting import Draw, Sorting

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
        classes = {name.replace("_", " "): one_of(self.intents[name]) for name in names}
        asks = [
            "What does the user want?",
            "Name the intent of the {input}.",
            "Which request is it?",
        ]
        return Sorting(classes, ["text", "request", "message"], ["intent", "topic", "aim"], asks)

    def naming(self, draw: Random, count: int) -> Episode:
        """Sentences and the first name of one kind in each."""
        kind = draw.choice(list(self.entities))
        rows: list[Row] = [draw.choice(self.entities[kind]) for _ in range(count)]
        ask = draw.choice([f"Which {kind} is named?", f"Find the {kind}.", f"Copy the {kind} out."])
        return Episode.of(["text"], draw.choice([kind, "answer"]), rows, instruction=ask)


def one_of(texts: Sequence[str]) -> Draw:
    """One of some texts."""
    return lambda draw: draw.choice(texts)


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
