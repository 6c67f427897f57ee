"""One index in a fresh process: how long it takes, how long a query takes, and peak memory.

``python -m benchmarks.retrieval_scale FILE.jsonl QUERIES.json FOLDER`` prints one JSON object.
Vectors are random and as wide as MiniLM's, which would take an hour for 100,000 passages. It is
loaded all the same and embeds the first of them, so the memory it takes is in the figures.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from afina.retrieval.embedding import Embedding, Vectors
from afina.retrieval.indexing import Wish, index_source, to_search
from afina.training.embedding import load_embedding
from benchmarks.memory_step import peak_mb

WIDTH = 384
READ = 500  # passages that MiniLM embeds
ALONE = 50  # queries that are asked one by one


def main(arguments: Sequence[str]) -> None:
    """Make the index, ask it, and print what that took."""
    passages, asked, folder = map(Path, arguments)
    random = Embedding("random", "0" * 64, drawn)
    with passages.open() as file:
        first = [json.loads(line)["text"] for line in islice(file, READ)]
    load_embedding("builtin:minilm").embed(first)
    found = {"model loaded, peak MB": peak_mb()}
    began = time.perf_counter()
    index_source(passages, folder, Wish(), lambda _: random, usual="random")
    found |= {"index seconds": time.perf_counter() - began, "index peak MB": peak_mb()}
    found["size MB"] = (
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    )
    began = time.perf_counter()
    index_source(passages, folder, Wish(), lambda _: random, usual="random")
    found["again seconds"] = time.perf_counter() - began
    queries = json.loads(asked.read_text())
    index = to_search(folder, None, lambda _: random)
    for mode in ("lexical", "dense", "hybrid"):
        search = partial(index.search, k=10, mode=mode)
        alone = [milliseconds(partial(search, each)) for each in queries[:ALONE]]
        found[f"{mode} ms"] = float(np.median(alone))
        together = milliseconds(partial(index.rank, queries, 10, mode=mode))
        found[f"{mode}, many ms"] = together / len(queries)
    found["peak MB"] = peak_mb()
    sys.stdout.write(json.dumps(found) + "\n")


def drawn(texts: Sequence[str]) -> Vectors:
    """Vectors of no meaning, other ones at each call."""
    chance = np.random.default_rng(len(texts[0]))
    return chance.standard_normal((len(texts), WIDTH)).astype(np.float32)


def milliseconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(sys.argv[1:])
