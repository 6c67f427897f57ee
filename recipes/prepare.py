"""Data preparation: ``python -m recipes.prepare`` puts tokenizer and token files in recipes/.data.

Half of what a model reads is plain text, half conversations. The same seed gives the same bytes.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from tokenizers import Tokenizer

from afina.backbones.builtin.folder import HOME
from recipes.books import Books
from recipes.episode import conversation
from recipes.meaning import Meanings
from recipes.mixture import Make, episode, mixture, with_meanings
from recipes.sets import Sets
from recipes.vocabulary import END, START, talk, trained_tokenizer

ROOT = Path(__file__).parent
DATA = ROOT / ".data"
SHARED = ROOT.parent.parent / "shared" / "data"
PLACES = 512  # tokens of the longest conversation
PIECE = 20_000  # characters encoded at once
SHIPPED = HOME / "tiny-decoder" / "tokenizer.json"
LEARNED = 300_000  # characters of each book that the tokenizer learns from
BATCH = 2_000  # conversations encoded at once


def talks(makes: dict[Make, float], count: int, seed: int) -> Iterator[str]:
    """So many conversations."""
    draw = Random(seed)
    for _ in range(count):
        yield talk(conversation(episode(makes, draw), draw))


def text_tokens(books: Books, tokenizer: Tokenizer) -> np.ndarray:
    """All books, one behind another, each behind a start."""
    found: list[int] = []
    for text in books.texts.values():
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        found.append(START)
        for encoded in tokenizer.encode_batch(pieces, add_special_tokens=False):
            found += encoded.ids
    return np.array(found, dtype=np.uint16)


def talk_tokens(told: Iterator[str], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Conversations as tokens, and where each starts; turns past PLACES are cut off."""
    parts: list[np.ndarray] = []
    batch: list[str] = []
    for text in told:
        batch.append(text)
        if len(batch) == BATCH:
            parts += encoded(batch, tokenizer)
            batch = []
    parts += encoded(batch, tokenizer)
    starts = np.cumsum([0, *map(len, parts)])
    return np.concatenate(parts), starts


def encoded(batch: list[str], tokenizer: Tokenizer) -> list[np.ndarray]:
    """Conversations as tokens, each up to its last answer that ends within PLACES."""
    found = []
    for each in tokenizer.encode_batch(batch, add_special_tokens=False):
        ids = np.array(each.ids[:PLACES], dtype=np.uint16)
        ends = np.flatnonzero(ids == END)
        if len(ends):
            found.append(ids[: ends[-1] + 1])
    return found


def prepare(
    shared: Path,
    folder: Path,
    *,
    count: int,
    seed: int,
    learned: int = 0,
    meaning: bool = True,
) -> dict[str, object]:
    """Write all files and what they hold.

    The tokenizer is the package's, or learns from all books and from ``learned`` other talks.
    ``meaning`` adds sortings by meaning, which it does not learn from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    books, sets = Books.at(shared / "lm_text_en" / "train"), Sets.at(shared)
    makes, tokenizer = mixture(books, sets), Tokenizer.from_file(str(SHIPPED))
    if learned:
        beginnings = [text[:LEARNED] for text in books.texts.values()]
        tokenizer = trained_tokenizer([*beginnings, *talks(makes, learned, seed + 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    valid = Books.at(shared / "lm_text_en" / "valid")
    arrays = {"text": text_tokens(books, tokenizer), "valid": text_tokens(valid, tokenizer)}
    if meaning:
        makes = with_meanings(makes, Meanings.of(books, sets, seed))
    arrays["talks"], arrays["starts"] = talk_tokens(talks(makes, count, seed), tokenizer)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    facts: dict[str, object] = {
        "seed": seed,
        "conversations": len(arrays["starts"]) - 1,
        "tokens": {name: len(arrays[name]) for name in ("text", "valid", "talks")},
        "bytes": {"valid": sum(len(text.encode()) for text in valid.texts.values())},
        "sha256": {
            "tokenizer": digest(folder / "tokenizer.json"),
            **{name: digest(folder / f"{name}.npy") for name in arrays},
        },
    }
    (folder / "prepared.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def digest(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Read the command line and prepare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the data sets")
    parser.add_argument("--folder", type=Path, default=DATA, help="where files go")
    parser.add_argument("--conversations", type=int, default=300_000)
    parser.add_argument("--meaning", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--learned", type=int, default=0, help="conversations of a tokenizer of its own: 20000"
    )
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    begun = time.monotonic()
    facts = prepare(
        told.shared,
        told.folder,
        count=told.conversations,
        seed=told.seed,
        learned=told.learned,
        meaning=told.meaning,
    )
    print(json.dumps({**facts, "seconds": round(time.monotonic() - begun)}))


if __name__ == "__main__":
    main()
