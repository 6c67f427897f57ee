"""A tiny model and a tiny task as folders, and the command line called within the process."""

import io
import json
import random
import signal
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from transformers.utils import logging

from afina.backbones.injection import Embeddings
from afina.cli import main
from afina.models import load_model
from afina.retrieval.index import make_index
from afina.retrieval.update import update_index
from afina.soft.answer import LabelWords
from afina.soft.interchange import write_peft
from afina.soft.reading import Reader
from afina.soft.soft_solver import make_solver
from afina.solver import Packed
from afina.task.signature import Signature
from tests.retrieval.texts import document, source
from tests.tiny import raw_model, shared, tokenizer_for

KEPT: list[tempfile.TemporaryDirectory[str]] = []
FILLING = "a film it was the plot is and very so i this one review , . again yes no long".split()
GOOD = "good great bright liked fine nice happy".split()
BAD = "bad awful dull hated poor sad slow".split()
TOML = """signature = "review -> sentiment: positive | negative"
instruction = "Say whether the review is positive or negative."

[data]
all = "rows.jsonl"
"""


@cache
def model_folder(family: str = "bert", seed: int = 0) -> str:
    """A tiny random model saved as a folder, once a process."""
    kept = tempfile.TemporaryDirectory(prefix="afina-model-")
    KEPT.append(kept)
    logging.disable_progress_bar()
    raw_model(family, seed).save_pretrained(kept.name)
    tokenizer_for(family).save_pretrained(kept.name)
    return kept.name


@cache
def source_folder(seed: int = 7) -> str:
    """Another tiny task to learn from, once a process."""
    kept = tempfile.TemporaryDirectory(prefix="afina-source-")
    KEPT.append(kept)
    return str(task_folder(Path(kept.name), rows=lines(reviews(60, seed))))


@cache
def adapter_folder(family: str = "bert") -> str:
    """A soft prompt for a tiny model as PEFT saves one, once a process."""
    kept = tempfile.TemporaryDirectory(prefix="afina-adapter-")
    KEPT.append(kept)
    backbone = shared(family)
    vectors = backbone.frozen.embed([7, 8, 9])
    prompt = Embeddings(vectors, before_lead=bool(backbone.frozen.lead))
    write_peft(prompt, backbone, folder=Path(kept.name))
    return kept.name


@cache
def soft_bundle() -> Packed:
    """What a run of prompt tuning on a tiny decoder keeps, once a process."""
    backbone = load_model(model_folder("gpt2"))
    frozen = backbone.frozen
    signature = Signature.parse("review -> sentiment: positive | negative")
    reader = Reader(frozen, signature, 40, tuple(frozen.encode("\nsentiment:")))
    answer = LabelWords(("positive", "negative"), [frozen.encode("good"), frozen.encode("bad")])
    prompt = Embeddings(frozen.embed(frozen.encode("a great film")).detach())
    return make_solver(backbone, reader, prompt=prompt, answer=answer).pack()


@cache
def index_folder() -> str:
    """An index of a few reviews by their words, once a process."""
    kept = tempfile.TemporaryDirectory(prefix="afina-index-")
    KEPT.append(kept)
    index = make_index(Path(kept.name) / "i", embedding=None)
    documents = [document(f"r{at}", row["review"]) for at, row in enumerate(reviews(5))]
    update_index(index, source(*documents))
    return str(index.folder)


@cache
def prompt_file() -> str:
    """A written prompt for the tiny reviews, once a process."""
    kept = tempfile.TemporaryDirectory(prefix="afina-prompt-")
    KEPT.append(kept)
    path = Path(kept.name) / "prompt.md"
    path.write_text("# system\nSay positive or negative.\n\n# user\n{{ review }} :\n")
    return str(path)


def reviews(count: int = 160, seed: int = 0) -> list[dict[str, str]]:
    """Rows that differ, each with one word that tells its label."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        label, words = chance.choice([("positive", GOOD), ("negative", BAD)])
        filling = " ".join(chance.choices(FILLING, k=8))
        found[f"{filling} {chance.choice(words)} {chance.choice(FILLING)}"] = label
    return [{"review": text, "sentiment": label} for text, label in found.items()]


def lines(rows: list[Any]) -> str:
    """Rows as JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def task_folder(parent: Path, name: str = "mood", toml: str = TOML, **files: str) -> Path:
    """A task of tiny reviews; ``files`` are texts of JSONL files, by name."""
    folder = parent / name
    folder.mkdir()
    (folder / "task.toml").write_text(toml)
    for file, text in (files or {"rows": lines(reviews())}).items():
        (folder / f"{file}.jsonl").write_text(text)
    return folder


@dataclass(frozen=True)
class Called:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What ``--json`` printed: one line, and nothing else."""
        assert self.code == 0, self.err
        assert self.err == ""
        assert self.out.count("\n") == 1
        return json.loads(self.out, parse_constant=lambda name: 1 / 0)


def afina(*arguments: str, given: str = "") -> Called:
    """Call the command line as the installed command does, with a text as standard input."""
    before = sys.argv, sys.stdin, signal.getsignal(signal.SIGTERM)
    sys.argv = ["afina", *arguments]
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
    try:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            main()
    except SystemExit as end:
        return Called(end.code or 0, out.getvalue(), err.getvalue())
    finally:
        sys.argv, sys.stdin = before[:2]
        signal.signal(signal.SIGTERM, before[2])
    raise AssertionError("main always exits")


QUICK = ("--set", "length=2", "--set", "epochs=1")


def tuned(*more: str, name: str = "r", method: str = "prompt-tuning") -> Called:
    settings = QUICK if method == "prompt-tuning" else ()
    model = ("--model", model_folder())
    return afina("tune", "mood", "--method", method, *model, "--name", name, *settings, *more)


def refused(called: Called, code: int, *parts: str) -> None:
    """Ended with a code and one line that holds these parts."""
    assert called.out == ""
    assert called.err.startswith("afina: ")
    assert called.err.count("\n") == 1, called.err
    for part in parts:
        assert part in called.err, called.err
    assert called.code == code, called.err


def leaking(here: Path, rule: str, *, twice: bool = False) -> Path:
    """Two rows of train in dev; with ``twice`` all of dev in test."""
    rows = reviews()
    toml = TOML.replace(
        'all = "rows.jsonl"', 'train = "a.jsonl"\ndev = "b.jsonl"\ntest = "c.jsonl"'
    )
    toml += f'[split]\nleaks = "{rule}"\n'
    parts = {"a": rows[:100], "b": rows[98:130], "c": rows[98 if twice else 130 :]}
    return task_folder(here, rule, toml, **{name: lines(part) for name, part in parts.items()})
