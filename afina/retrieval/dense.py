"""Dense search: the cosine of a query's vector with every passage's, none left out.

The vectors are of length one and pass by in blocks, so memory does not grow with the index, and
many queries cost one pass.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from afina.errors import ModelError
from afina.retrieval.embedding import Embedding, Vectors
from afina.retrieval.ranking import Ranking, best_first

BLOCK = 4096  # passages
COLUMN = "vector"


def unit_vectors(embedding: Embedding, texts: list[str]) -> Vectors:
    """Vectors of texts, of length one: ``[N, H]``.

    Raises:
        ModelError: the model gave another number of vectors, or some that are not finite.
    """
    vectors = np.asarray(embedding.embed(texts), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise ModelError(
            f"expected {len(texts)} finite vectors of {embedding.name}, one a text, got an array "
            f"of shape {vectors.shape}; check the model"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def nearest(table: Any, queries: Vectors, depth: int) -> list[Ranking]:  # lancedb has no types
    """The passages nearest to each query: ``[Q, H]`` in, a ranking a query out."""
    names: list[str] = []
    places = np.empty((len(queries), 0), dtype=np.int64)
    scores = np.empty((len(queries), 0), dtype=np.float32)
    for found, vectors in blocks(table):
        here = np.arange(len(names), len(names) + len(found))
        names += found
        places = np.hstack([places, np.broadcast_to(here, (len(queries), len(found)))])
        scores = np.hstack([scores, queries @ vectors.T])  # [Q, depth + N]
        if scores.shape[1] > depth:
            kept = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
            places = np.take_along_axis(places, kept, axis=1)
            scores = np.take_along_axis(scores, kept, axis=1)
    rows = zip(places.tolist(), scores.tolist(), strict=True)
    return [
        best_first((names[place], score) for place, score in zip(*row, strict=True)) for row in rows
    ]


def blocks(table: Any) -> Iterator[tuple[list[str], Vectors]]:
    """All ids and vectors, ``[N]`` and ``[N, H]``, block by block."""
    batches = table.search().select(["id", COLUMN]).to_batches(BLOCK)
    for batch in batches:
        vectors = batch.column(COLUMN)
        assert isinstance(vectors, pa.FixedSizeListArray)
        flat = vectors.flatten().to_numpy().reshape(len(batch), -1)
        yield batch.column("id").to_pylist(), flat
