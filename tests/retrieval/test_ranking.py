"""Fusion by hand."""

import pytest

from afina.retrieval.ranking import Ranking, best_first, by_reciprocal_rank, by_score

LEXICAL: Ranking = [("a", 8.0), ("b", 4.0), ("c", 2.0)]
DENSE: Ranking = [("c", 0.9), ("a", 0.7), ("d", 0.5)]


def test_equal_scores_come_in_order_of_their_ids() -> None:
    assert best_first([("b", 1.0), ("c", 2.0), ("a", 1.0)]) == [("c", 2.0), ("a", 1.0), ("b", 1.0)]


def test_scores_are_weighted_on_one_scale() -> None:
    found = by_score(LEXICAL, DENSE, share=0.6)
    assert [each for each, _ in found] == ["a", "c", "b", "d"]
    assert [score for _, score in found] == pytest.approx(
        [0.6 * 1 + 0.4 * 0.5, 0.6 * 0.25 + 0.4 * 1, 0.6 * 0.5, 0.0]
    )


def test_the_scale_of_either_ranking_does_not_matter() -> None:
    stretched = [(each, 7 * score) for each, score in LEXICAL]
    moved = [(each, 100 + 3 * score) for each, score in DENSE]
    ours, theirs = by_score(LEXICAL, DENSE), by_score(stretched, moved)
    assert [each for each, _ in ours] == [each for each, _ in theirs]
    assert [score for _, score in ours] == pytest.approx([score for _, score in theirs])


def test_ranks_are_damped_by_sixty() -> None:
    found = dict(by_reciprocal_rank(LEXICAL, DENSE))
    assert found == pytest.approx(
        {"a": 1 / 61 + 1 / 62, "b": 1 / 62, "c": 1 / 63 + 1 / 61, "d": 1 / 63}
    )


@pytest.mark.parametrize("fuse", [by_score, by_reciprocal_rank])
def test_one_ranking_alone_stays_as_it_is(fuse) -> None:  # type: ignore[no-untyped-def]
    assert [each for each, _ in fuse(LEXICAL, [])] == ["a", "b", "c"]
    assert [each for each, _ in fuse([], DENSE)] == ["c", "a", "d"]
    assert fuse([], []) == []


def test_a_ranking_of_one_counts_in_full() -> None:
    assert by_score([], [("a", 0.3)], share=0.6) == [("a", pytest.approx(0.4))]
