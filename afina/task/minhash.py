"""MinHash: pairs of texts with many four-letter pieces in common, without comparing all pairs.

Broder 1997, https://doi.org/10.1109/SEQUEN.1997.666900: under a random hash, two sets have the
same least element with the probability of their Jaccard similarity.
"""

from collections.abc import Iterator, Sequence

import numpy
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

BANDS, ROWS = 32, 3
"""96 hashes in 32 bands of 3: a pair with half of its pieces in common is found at 98.6 %."""
ALIKE = 0.35
"""The least estimated similarity of a pair."""
SHORTEST = 8
"""Texts with fewer characters are like no other."""
NEIGHBOURS = 64
"""In a bucket, each text is paired with at most so many others."""
BLOCK = 4096


def similar_pairs(texts: Sequence[str], places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of similar texts that do not stand in the same single place.

    ``places`` has a bit for each split in which the text stands.
    """
    kept = numpy.array([n for n, text in enumerate(texts) if len(text) >= SHORTEST], numpy.int64)
    if len(kept) < 2:
        return
    hashes = minhashes([texts[n] for n in kept])
    masks = numpy.array([places[n] for n in kept], numpy.int64)
    for one, other in band_pairs(hashes, masks):
        yield int(kept[one]), int(kept[other])


def minhashes(texts: Sequence[str]) -> NDArray[numpy.uint32]:
    """The least hash of each text's pieces under each of 96 hash functions."""
    generator = numpy.random.default_rng(0)
    factors = generator.integers(2**63, size=(2, BANDS * ROWS), dtype=numpy.uint64) | numpy.uint64(
        1
    )
    pieces = HashingVectorizer(
        analyzer="char", ngram_range=(4, 4), n_features=2**24, norm=None, alternate_sign=False
    )
    hashes = numpy.empty((len(texts), BANDS * ROWS), numpy.uint32)
    for start in range(0, len(texts), BLOCK):
        matrix = pieces.transform(texts[start : start + BLOCK])
        numbers = matrix.indices.astype(numpy.uint64)
        for column, (factor, shift) in enumerate(factors.T):
            hashed = (numbers * factor + shift) >> numpy.uint64(32)
            least = numpy.minimum.reduceat(hashed, matrix.indptr[:-1])
            hashes[start : start + BLOCK, column] = least
    return hashes  # [texts, 96]


def band_pairs(hashes: NDArray[numpy.uint32], masks: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Pairs that agree in a whole band and are similar enough over all."""
    found = [numpy.empty(0, numpy.int64)]
    shuffled = numpy.random.default_rng(1).permutation(len(hashes))
    for band in range(BANDS):
        keys = mixed(hashes[:, band * ROWS : (band + 1) * ROWS])
        order = numpy.lexsort((shuffled, keys))
        found.append(bucket_pairs(keys[order], order, masks))
    codes = numpy.sort(numpy.concatenate(found))
    codes = codes[numpy.diff(codes, prepend=-1) > 0]
    pairs = numpy.stack([codes // len(hashes), codes % len(hashes)], axis=1)
    alike = [
        (hashes[block[:, 0]] == hashes[block[:, 1]]).mean(axis=1) >= ALIKE
        for block in (pairs[n : n + BLOCK] for n in range(0, len(pairs), BLOCK))
    ]
    return pairs[numpy.concatenate(alike)] if alike else pairs


def mixed(columns: NDArray[numpy.uint32]) -> NDArray[numpy.uint64]:
    """A band's hashes as one number a text."""
    keys = numpy.zeros(len(columns), numpy.uint64)
    for column in columns.T:
        keys = (keys ^ column) * numpy.uint64(0x9E3779B97F4A7C15)
    return keys


def bucket_pairs(
    keys: NDArray[numpy.uint64], order: NDArray[numpy.int64], masks: NDArray[numpy.int64]
) -> NDArray[numpy.int64]:
    """Pairs of one band, in its sorted order, as codes ``smaller * N + larger``."""
    found = [numpy.empty(0, numpy.int64)]
    starts = numpy.arange(len(keys))
    for step in range(1, NEIGHBOURS + 1):
        starts = starts[starts + step < len(keys)]
        starts = starts[keys[starts] == keys[starts + step]]
        one, other = order[starts], order[starts + step]
        single = (masks[one] & (masks[one] - 1)) == 0
        apart = (masks[one] != masks[other]) | ~single
        small, large = numpy.minimum(one, other)[apart], numpy.maximum(one, other)[apart]
        found.append(small * len(order) + large)
    return numpy.concatenate(found)
