"""Recall, time and memory of retrieval, by parts, each a section of retrieval.md.

    python -m benchmarks.retrieval                      all parts
    python -m benchmarks.retrieval --parts recall       one of them; the others' sections stay

`weights` looks for the share of the lexical scores on the train queries of rag_wiki. `recall` asks
the test queries, with the share that is written in afina/retrieval/ranking.py. `scale` measures
1,600 and 100,000 passages of recombined sentences. To reach: recall not below the floors, hybrid
not below the better of the two, under 1.5 GB at 100,000 passages.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from afina.retrieval.index import Index
from afina.retrieval.indexing import Wish, index_source
from afina.retrieval.ranking import (
    LEXICAL_SHARE,
    Ranking,
    by_reciprocal_rank,
    by_score,
)
from afina.training.embedding import load_embedding
from benchmarks.machine import machine
from benchmarks.retrieval_corpora import Corpus, asked, rag_wiki, recombined, xquad

TABLE = Path(__file__).with_suffix(".md")
MODEL = "builtin:minilm"
DEPTHS = (1, 5, 10)
DEPTH = 100
SHARES = [share / 20 for share in range(21)]
SIZES = (1_600, 100_000)
LIMIT_MB = 1_500
HEAD = "# Retrieval\n\nLexical is BM25 of the store, dense is the cosine of `builtin:minilm`."


def main(arguments: Sequence[str]) -> None:
    parts: dict[str, Callable[[], list[str]]] = {
        "weights": weights,
        "recall": recall,
        "scale": scale,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(parts))
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    for name in options.parts.split(","):
        text = "\n".join([*parts[name](), "", machine(["afina", "lancedb", "numpy"])])
        print(text)
        sections = read_sections(options.output) | {name: text}
        whole = [HEAD, *(f"## {each}\n\n{sections[each]}" for each in parts if each in sections)]
        options.output.write_text("\n\n".join(whole) + "\n")


def read_sections(path: Path) -> dict[str, str]:
    """The sections of a table that was written before."""
    pieces = (
        re.split(r"^## (\w+)\n", path.read_text(), flags=re.MULTILINE) if path.exists() else [""]
    )
    return {name: text.strip() for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def weights() -> list[str]:
    """Recall on the train queries, by the share of the lexical scores."""
    corpus = rag_wiki("train")
    lines = [
        f"Hybrid by scores on the {len(corpus.questions):,} train queries of rag_wiki.",
        "",
        "| share of lexical | recall at 1, 5, 10 | mean |",
        "| --- | --- | --- |",
    ]
    means = {}
    with indexed(corpus) as (index, _):
        pairs = rankings(index, corpus)
    for share in SHARES:
        found = recalls(corpus, [by_score(*pair, share) for pair in pairs])
        means[share] = sum(found) / len(found)
        lines.append(f"| {share:.2f} | {told(found)} | {means[share]:.2f} |")
    best = max(means, key=lambda share: means[share])
    ranks = recalls(corpus, [by_reciprocal_rank(*pair) for pair in pairs])
    return [
        *lines,
        "",
        f"Best mean: {best}; the code has {LEXICAL_SHARE}. By reciprocal ranks: {told(ranks)}.",
    ]


def recall() -> list[str]:
    """Recall on the test queries in each mode, beside the floors."""
    lines = [
        f"Recall at 1, 5, 10 in percent; hybrid by scores, lexical {LEXICAL_SHARE} of them.",
        "",
        "| | passages | questions | floor (BM25) | lexical | dense | hybrid | by reciprocal ranks "
        "| index s | s for all questions |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for corpus in (rag_wiki("test"), xquad()):
        with indexed(corpus) as (index, seconds):
            began = time.perf_counter()
            pairs = rankings(index, corpus)
            asking = time.perf_counter() - began
        ways = [
            [lexical for lexical, _ in pairs],
            [dense for _, dense in pairs],
            [by_score(*pair) for pair in pairs],
            [by_reciprocal_rank(*pair) for pair in pairs],
        ]
        found = [recalls(corpus, way) for way in ways]
        counts = f"{len(corpus.passages):,} | {len(corpus.questions):,}"
        figures = " | ".join(map(told, found))
        times = f"{seconds:.1f} | {asking:.1f}"
        lines.append(f"| {corpus.name} | {counts} | {corpus.floor} | {figures} | {times} |")
        short = [
            f"{each}" for each, *two in zip(found[2], *found[:2], strict=True) if each < max(two)
        ]
        lines += [f"hybrid is below the better of the two: {short}"] if short else []
    return lines


@contextmanager
def indexed(corpus: Corpus) -> Iterator[tuple[Index, float]]:
    """An index of a corpus with MiniLM's vectors, and the seconds it took; gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "passages.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in corpus.passages))
        embedding = load_embedding(MODEL)
        began = time.perf_counter()
        made = index_source(path, Path(folder) / "i", Wish(), lambda _: embedding, usual=MODEL)
        yield made.index, time.perf_counter() - began


def rankings(index: Index, corpus: Corpus) -> list[tuple[Ranking, Ranking]]:
    """Each question's lexical and dense ranking, to DEPTH."""
    found = (index.rank(corpus.questions, DEPTH, mode=mode) for mode in ("lexical", "dense"))
    return list(zip(*found, strict=True))


def recalls(corpus: Corpus, found: Sequence[Ranking]) -> list[float]:
    """The share of questions, in percent, whose passage is among the first of each depth."""
    places = [
        next((place for place, (each, _) in enumerate(ranking) if each == gold), DEPTH)
        for ranking, gold in zip(found, corpus.gold, strict=True)
    ]
    return [100 * sum(place < depth for place in places) / len(places) for depth in DEPTHS]


def told(numbers: Sequence[float]) -> str:
    """Recalls in a cell."""
    return " / ".join(f"{number:.1f}" for number in numbers)


def scale() -> list[str]:
    """Time and memory by the number of passages."""
    columns = [measured(size) for size in SIZES]
    lines = [
        "A process of its own each; passages of about 100 words from recombined sentences of "
        "books. Vectors are random, as wide as MiniLM's, which is loaded but embeds 500 passages "
        "alone. `many` is a query of 500 that are ranked together; the others come one by one, ten "
        "passages each, with their texts.",
        "",
        f"| | {' | '.join(f'{size:,} passages' for size in SIZES)} |",
        f"| --- |{' --- |' * len(SIZES)}",
    ]
    for name in columns[0]:
        lines.append(f"| {name} | {' | '.join(f'{each[name]:,.1f}' for each in columns)} |")
    peak = columns[-1]["peak MB"]
    verdict = "under" if peak < LIMIT_MB else "OVER"
    return [*lines, "", f"Peak memory at {SIZES[-1]:,}: {verdict} the {LIMIT_MB:,} MB asked."]


def measured(size: int) -> dict[str, float]:
    """What an index of so many passages takes."""
    with tempfile.TemporaryDirectory() as folder:
        passages, queries = Path(folder) / "passages.jsonl", Path(folder) / "queries.json"
        with passages.open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in recombined(size))
        queries.write_text(json.dumps(asked(500)))
        files = [str(path) for path in (passages, queries, Path(folder) / "i")]
        run = partial(subprocess.run, check=True, stdout=subprocess.PIPE, text=True)
        result = run([sys.executable, "-m", "benchmarks.retrieval_scale", *files])
    found: dict[str, float] = json.loads(result.stdout)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
