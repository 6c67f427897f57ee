"""A ranking: ids of passages with their scores, the best first; and how two become one.

``by_score`` is a convex combination of scores on one scale, as studied by Bruch, Gai and Ingber
2023, https://arxiv.org/abs/2210.11934: ``a · lexical / best + (1 - a) · (cosine - last) / (best -
last)``, where ``last`` is the lowest of the dense ranking (they take the lowest possible, which
suits one model's vectors and not another's). A passage that a ranking does not have gets 0 for it.

``by_reciprocal_rank`` is ``Σ 1 / (60 + rank)``, Cormack, Clarke and Büttcher 2009,
https://doi.org/10.1145/1571941.1572114.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

Ranking = list[tuple[str, float]]
Fuse = Callable[[Ranking, Ranking], Ranking]

LEXICAL_SHARE = 0.65  # chosen on the train queries of rag_wiki, see benchmarks/retrieval.md
DAMPING = 60


def best_first(scores: Iterable[tuple[str, float]]) -> Ranking:
    """A ranking of scores; of equal ones the lower id comes first."""
    return sorted(scores, key=lambda each: (-each[1], each[0]))


def by_score(lexical: Ranking, dense: Ranking, share: float = LEXICAL_SHARE) -> Ranking:
    """One ranking by weighted scores; ``share`` is the weight of the lexical ones."""
    return added(
        {each: share * score for each, score in scaled(lexical, 0.0).items()},
        {
            each: (1 - share) * score
            for each, score in scaled(dense, dense[-1][1] if dense else 0.0).items()
        },
    )


def by_reciprocal_rank(lexical: Ranking, dense: Ranking) -> Ranking:
    """One ranking by the places in two."""
    return added(
        *(
            {each: 1 / (DAMPING + place) for place, (each, _) in enumerate(ranking, start=1)}
            for ranking in (lexical, dense)
        )
    )


def scaled(ranking: Ranking, low: float) -> dict[str, float]:
    """Scores from 0 at ``low`` to 1 at the best; all 1 where there is no difference."""
    span = ranking[0][1] - low if ranking else 0.0
    return {each: (score - low) / span if span > 0 else 1.0 for each, score in ranking}


def added(*scores: Mapping[str, float]) -> Ranking:
    """The ranking by sums."""
    total: dict[str, float] = defaultdict(float)
    for each in scores:
        for name, score in each.items():
            total[name] += score
    return best_first(total.items())
