"""Passages and questions to retrieve with: rag_wiki, xquad_en, and texts made of many books."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = Path("/work/shared/data")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
WORDS = 100  # of a passage that is made of sentences, about


@dataclass(frozen=True)
class Corpus:
    """Passages in the layout of BEIR, questions, and each one's passage."""

    name: str
    passages: list[dict[str, str]]
    questions: list[str]
    gold: list[str]
    floor: str  # BM25's recall as /work/shared/data/INDEX.md has it


def rag_wiki(split: str) -> Corpus:
    """1,581 passages of Wikipedia with the questions of a split."""
    folder = DATA / "rag_wiki"
    rows = jsonl(folder / f"queries_{split}.jsonl")
    return Corpus(
        f"rag_wiki, {split}",
        jsonl(folder / "corpus.jsonl"),
        [row["text"] for row in rows],
        [row["doc"] for row in rows],
        "78.9 / 92.5 / 94.8" if split == "test" else "",
    )


def xquad() -> Corpus:
    """The paragraphs of XQuAD in English, and its questions."""
    passages, questions, gold = [], [], []
    for article in json.loads((DATA / "xquad_en" / "xquad.en.json").read_text())["data"]:
        for paragraph in article["paragraphs"]:
            name, title = str(len(passages)), article["title"].replace("_", " ")
            passages.append({"_id": name, "title": title, "text": paragraph["context"]})
            questions += [each["question"] for each in paragraph["qas"]]
            gold += [name] * len(paragraph["qas"])
    return Corpus("xquad_en", passages, questions, gold, "92.0 / 98.3 / –")


def jsonl(path: Path) -> list[dict[str, str]]:
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def sentences() -> list[str]:
    """Sentences of public-domain books."""
    texts = (path.read_text() for path in sorted((DATA / "lm_text_en" / "train").glob("*.txt")))
    found = (" ".join(each.split()) for text in texts for each in SENTENCE.split(text))
    return [each for each in found if 5 <= len(each.split()) <= 60]


def recombined(count: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """Passages of about WORDS words, each of sentences drawn anew, so no two are alike."""
    chance, pool = random.Random(seed), sentences()
    for number in range(count):
        text: list[str] = []
        while sum(len(each.split()) for each in text) < WORDS:
            text.append(chance.choice(pool))
        yield {"_id": f"p{number}", "title": "", "text": " ".join(text)}


def asked(count: int, seed: int = 1) -> list[str]:
    """Queries: ten words in a row of a sentence."""
    chance, pool = random.Random(seed), sentences()
    return [" ".join(chance.choice(pool).split()[:10]) for _ in range(count)]
