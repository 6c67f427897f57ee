"""What the built-in models can do: ``python -m recipes.evaluate prompts|text|soft|transfer``.

Each part writes its tables into docs/builtin.md, between the marks of that part; behind a part may
stand the models it is for. But for ``text``, each goes on where it was stopped.
"""

import argparse
import re
from pathlib import Path

from afina.backbones.backbone import load_backbone
from afina.backbones.builtin.folder import HOME, TINY, WEIGHTS
from afina.backbones.frozen import load_frozen
from afina.backbones.local_lm import LocalLM
from afina.disk import Disk, replace_file
from afina.evaluation.compare import Comparison
from benchmarks import multitask, soft_methods
from benchmarks.machine import machine
from benchmarks.real_data import HERE as BENCHMARKS
from benchmarks.real_data import PACKAGES, SHARED, STORIES, row_line, verdict_line
from recipes.books import Books
from recipes.perplexity import bits_per_byte
from recipes.prepare import digest
from recipes.trials import trials, tried

CARD = Path(__file__).parent.parent / "docs" / "builtin.md"
RUNS = BENCHMARKS / ".runs"
WRITERS = ("tiny-decoder", "tiny-seq2seq")
CHARACTERS = 200_000  # of each book
WINDOWS = (256, 512)  # tokens that are read from one start
SOFT = {"uci_sentiment": (400, 200), "snips": (400, 200)}  # rows of train and of dev
EPOCHS = 8
# What these small models want in place of the defaults, by trials on the decoder (docs/log.md):
# heads, since label words of several tokens are learned slowly, and higher rates.
HEAD = {"answer": "head"}
OWN = {
    "prompt-tuning": HEAD,
    "p-tuning": HEAD,
    "prefix-tuning": {"rate": 0.3, **HEAD},
    "p-tuning-v2": {"rate": 0.3},
    "full-fine-tuning": {"rate": 2e-3},
}


def prompts(model: str) -> str:
    """Held-out tasks by written prompts."""
    lm = LocalLM(load_backbone(f"builtin:{model}"))
    folder = RUNS / f"prompts-{named(model)}"
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"### builtin:{model}: accuracy on held-out tasks"]
    for trial in trials(BENCHMARKS / "tasks"):
        path = folder / f"{trial.name}.md"
        if not path.exists():
            table = "\n".join(prompt_table(tried(trial, lm, model)))
            replace_file(path, table.encode(), Disk())
        parts.append(path.read_text().strip())
    return "\n\n".join(parts)


def named(model: str) -> str:
    """A model's name with its weights: what is kept of others is not gone on from."""
    return f"{model}-{digest(HOME / model / WEIGHTS)[:8]}"


def prompt_table(found: Comparison) -> list[str]:
    """One task's ways, each beside the first."""
    first = found.rows[0].label
    lines = [f"{found.task}, {found.rows[0].n} rows:", "", "| prompt | score [95 %] | missing |"]
    lines.append("| --- | --- | --- |")
    for row in found.rows:
        score = "none was readable"
        if row.score is not None:
            score = f"{row.score:.3f}"
            if row.low is not None and row.high is not None:  # else no row has an answer each draw
                score += f" [{row.low:.3f}, {row.high:.3f}]"
        lines.append(f"| {row.method} | {score} | {row.missing} |")
    told = [each for each in found.verdicts if each.a == first]
    return [*lines, "", *map(verdict_line, told), ""]


def text() -> str:
    """Bits a byte on books that no training saw, beside the smallest story model."""
    books = [each[:CHARACTERS] for each in Books.at(SHARED / "lm_text_en" / "valid").texts.values()]
    lines = [
        "| model | parameters | tokens from one start | bits a byte |",
        "| --- | --- | --- | --- |",
    ]
    for name, source in (
        ("builtin:tiny-decoder", "builtin:tiny-decoder"),
        ("stories260k", STORIES),
    ):
        frozen = load_frozen(source, precision="float32")
        size = sum(weight.numel() for weight in frozen.model.parameters())
        for places in WINDOWS:
            bits = bits_per_byte(frozen, books, places)
            lines.append(f"| {name} | {size:,} | {places} | {bits:.3f} |")
    return "\n".join(lines)


def soft(model: str) -> str:
    """Held-out tasks by soft methods, beside the probe and full fine-tuning."""
    lines = [f"### builtin:{model}: soft methods", ""]
    for task, (train, dev) in SOFT.items():
        case = soft_methods.Case(
            task, train, dev, f"builtin:{model}", settings={"epochs": EPOCHS}, own=OWN
        )
        found = soft_methods.run(f"{task}-{named(model)}", case)
        lines += [
            f"{task}, {found.metric} on dev, at most {train} train rows, {EPOCHS} epochs:",
            "",
        ]
        lines += [soft_methods.HEADER, "| --- | --- | --- | --- | --- | --- |"]
        lines += [*map(row_line, found.rows), "", *map(verdict_line, found.verdicts), ""]
    return "\n".join(lines)


def transfer(model: str) -> str:
    """A prompt learned on held-out tasks as another's start, against one from nothing."""
    plan = multitask.Plan(
        RUNS / f"multitask-{named(model)}",
        model=f"builtin:{model}",
        sources=("snips", "uci_sentiment"),
        targets=("subj",),
        sizes=(16, 64),
        rows=800,
        answer=HEAD["answer"],
    )
    return "\n\n".join([f"### builtin:{model}: a transferred start", *multitask.tables(plan)])


def put(part: str, table: str, card: Path = CARD) -> None:
    """Write a part's table into the card, in the place of what stood there.

    Raises: AssertionError where the card has no place for it.
    """
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    whole = card.read_text()
    assert re.search(f"{begin}.*{end}", whole, re.DOTALL), part
    body = f"{begin}\n\n{machine(PACKAGES)}\n\n{table.strip()}\n\n{end}"
    card.write_text(re.sub(f"{begin}.*?{end}", lambda _: body, whole, flags=re.DOTALL))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["prompts", "text", "soft", "transfer"])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="tiny-decoder and so on")
    told = parser.parse_args()
    match told.part:
        case "text":
            put("text", text())
        case "prompts":
            for model in told.models or WRITERS:
                put(f"prompts {model}", prompts(model))
        case "soft":
            for model in told.models or TINY:
                put(f"soft {model}", soft(model))
        case "transfer":
            for model in told.models or TINY:
                put(f"transfer {model}", transfer(model))


if __name__ == "__main__":
    main()
