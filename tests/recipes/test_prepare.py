"""Preparation: the same bytes from the same seed, and no conversation longer than a model reads."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from recipes import meaning, prepare
from recipes.stock import KEPT, Stock, answers
from recipes.vocabulary import END, FIRST_GAP, SIZE, START

WORDS = "river window doctor garden morning letter soldier captain supper evening".split()


def book(number: int) -> str:
    """Sentences of a few words over and over, so that each is neither rare nor everywhere."""
    found = []
    for place in range(700):
        chosen = [WORDS[(place * step + number) % len(WORDS)] for step in (1, 3, 7, 9)]
        found.append(f"The {' and the '.join(chosen)} were there{'.?!'[place % 3]} ")
    return "“Well,” he said. " + "".join(found)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of the shape of the real ones."""
    folder = tmp_path_factory.mktemp("data")
    for part, count in (("train", 14), ("valid", 1)):
        (folder / "lm_text_en" / part).mkdir(parents=True)
        for number in range(count):
            path = folder / "lm_text_en" / part / f"some-writer{number}_a-book.txt"
            path.write_text(book(number))
    rows = {
        "mr": "01",
        "clinc150": ["pay_bill", "tell_joke", "set_alarm", "find_phone", "a", "b", "c"],
    }
    for name, labels in rows.items():
        (folder / name).mkdir()
        lines = [f"a line of {label} number {row}\t{label}" for label in labels for row in range(9)]
        (folder / name / "train.tsv").write_text("\n".join(lines))
    for name in ("wnut17", "wikigold"):
        (folder / name).mkdir()
        (folder / name / "train.conll").write_text(
            "we\tO\nsaw\tO\nAnn\tB-person\nLee\tI-person\n\n"
        )
    return folder


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed(
    shared: Path, tmp_path: Path
) -> None:
    found = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "recipes.prepare", "--shared", str(shared)]
        command += ["--folder", str(tmp_path / seed), "--conversations", "300", "--learned", "200"]
        command += ["--no-meaning"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        facts = json.loads((tmp_path / seed / "prepared.json").read_bytes())
        found.append(facts)
        for name in ("text", "valid", "talks", "starts"):
            data = (tmp_path / seed / f"{name}.npy").read_bytes()
            assert hashlib.sha256(data).hexdigest() == facts["sha256"][name]
    assert found[0] == found[1]


def test_conversations_end_with_an_answer_and_fit(shared: Path, tmp_path: Path) -> None:
    prepare.prepare(shared, tmp_path, count=KEPT + 60, seed=0, learned=200, meaning=False)
    stock = Stock.at(tmp_path)
    assert stock.end == 60
    assert int(stock.talks.max()) < SIZE
    for number in range(stock.end):
        talk = stock.talk(number)
        assert talk[0] == START
        assert talk[-1] == END
        assert len(talk) <= prepare.PLACES
        assert answers(talk[None]).any()
        assert (talk != FIRST_GAP).all()
    assert stock.text[0] == START
    assert np.count_nonzero(stock.text == START) == 14


def test_sortings_by_meaning_are_put_into_talks(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, anything in (("FEWEST", 1), ("LEAST", -1.0), ("APART", 0.9), ("CLEAR", -9.0)):
        monkeypatch.setattr(meaning, name, anything)
    told = {}
    for added in (False, True):
        folder = tmp_path / str(added)
        prepare.prepare(shared, folder, count=300, seed=0, meaning=added)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        assert tokenizer.to_str() == Tokenizer.from_file(str(prepare.SHIPPED)).to_str()
        told[added] = tokenizer.decode(np.load(folder / "talks.npy"))
    asked = "has to do with: "
    assert asked in told[True]
    assert asked not in told[False]
