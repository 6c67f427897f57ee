"""How far a student is from its teacher: nothing where they are the same."""

import math

import pytest
import torch

from afina.soft.lesson import (
    Lesson,
    Weights,
    distance,
    feature_distance,
    joined,
    score_distance,
    two_outcomes,
)

GENERATOR = torch.Generator().manual_seed(0)
SCORES = torch.randn(4, 5, generator=GENERATOR).log_softmax(dim=-1)
OTHER = torch.randn(4, 5, generator=GENERATOR).log_softmax(dim=-1)
FEATURES = torch.randn(4, 8, generator=GENERATOR)
WANTED = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] + [False] * 4, [True] * 5])
WHOLE = Weights(1.0, 1.0)


@pytest.mark.parametrize("wanted", [None, WANTED])
def test_a_student_that_is_its_teacher_is_nowhere_apart(wanted: torch.Tensor | None) -> None:
    """Exactly 0. Broken by weighing with the student's probabilities alone."""
    lesson = Lesson(SCORES, FEATURES, wanted)
    assert distance(lesson, lesson, WHOLE) == 0


@pytest.mark.parametrize("wanted", [None, WANTED])
@pytest.mark.parametrize("what", ["scores", "features"])
def test_a_student_that_is_not_is_apart(wanted: torch.Tensor | None, what: str) -> None:
    teacher = Lesson(SCORES, FEATURES, wanted)
    scores, features = (OTHER, FEATURES) if what == "scores" else (SCORES, FEATURES + 0.1)
    assert distance(Lesson(scores, features, wanted), teacher, WHOLE) > 1e-3


def test_label_scores_are_compared_by_the_divergence_of_their_probabilities() -> None:
    """By hand: the mean over rows of sum p log(p / q), p the teacher's. Broken by exchange."""
    by_hand = sum(
        p * math.log(p / q)
        for teacher, student in zip(SCORES.exp().tolist(), OTHER.exp().tolist(), strict=True)
        for p, q in zip(teacher, student, strict=True)
    )
    found = score_distance(Lesson(OTHER), Lesson(SCORES))
    assert found.item() == pytest.approx(by_hand / 4, abs=1e-6)


def test_tokens_are_compared_as_the_wanted_or_any_other() -> None:
    """By hand, and never more than the divergence over the whole vocabulary."""
    p, q = 0.7, 0.2
    by_hand = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    found = two_outcomes(torch.tensor([[math.log(q)]]), torch.tensor([[math.log(p)]]))
    assert found.item() == pytest.approx(by_hand, abs=1e-6)
    whole = (SCORES.exp() * (SCORES - OTHER)).sum(dim=1, keepdim=True)
    assert (two_outcomes(OTHER, SCORES) <= whole + 1e-6).all()


def test_padding_behind_a_target_counts_nothing() -> None:
    """Broken by the mean over all places."""
    changed = torch.where(WANTED, SCORES, OTHER)
    assert score_distance(Lesson(changed, None, WANTED), Lesson(SCORES, None, WANTED)) == 0
    one = Lesson(OTHER[:1, :2], None, WANTED[:1, :2])
    alone = score_distance(one, Lesson(SCORES[:1, :2], None, WANTED[:1, :2]))
    assert alone.item() == pytest.approx(two_outcomes(OTHER, SCORES)[0, :2].mean().item())


def test_a_token_that_is_certain_has_a_finite_distance_and_gradient() -> None:
    """Broken by leaving probabilities of 1 as they are."""
    student = torch.tensor([[0.0, -50.0]], requires_grad=True)
    found = two_outcomes(student, torch.tensor([[0.0, 0.0]])).sum()
    found.backward()
    assert found.isfinite()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_features_are_compared_in_units_of_the_teachers_own() -> None:
    """Broken by the plain mean square: a model of larger states is then taught more of them."""
    found = feature_distance(FEATURES * 1.5, FEATURES)
    assert found.item() == pytest.approx(0.25)
    torch.testing.assert_close(feature_distance(FEATURES * 15, FEATURES * 10), found)


def test_weights_say_what_each_distance_counts() -> None:
    student, teacher = Lesson(OTHER, FEATURES + 1), Lesson(SCORES, FEATURES)
    scores = score_distance(student, teacher)
    features = feature_distance(FEATURES + 1, FEATURES)
    torch.testing.assert_close(
        distance(student, teacher, Weights(2.0, 3.0)), 2 * scores + 3 * features
    )
    torch.testing.assert_close(distance(Lesson(OTHER), teacher, Weights(2.0, 3.0)), 2 * scores)


def test_lessons_of_batches_are_joined_and_taken_apart() -> None:
    """Broken by leaving out what fills a narrower batch."""
    narrow = Lesson(SCORES[:2, :3], FEATURES[:2], WANTED[:2, :3])
    whole = joined([narrow, Lesson(SCORES[2:], FEATURES[2:], WANTED[2:])])
    assert whole.scores.shape == (4, 5)
    for place in range(4):
        one, wanted = whole.at([place]), (WANTED & (torch.arange(5) < [3, 3, 5, 5][place]))[place]
        assert one.wanted is not None
        assert torch.equal(one.wanted[0], wanted)
        assert torch.equal(one.scores[0][wanted], SCORES[place][wanted])
        assert one.features is not None
        assert torch.equal(one.features[0], FEATURES[place])
    plain = joined([Lesson(SCORES[:1]), Lesson(SCORES[1:])])
    assert torch.equal(plain.at([2, 0]).scores, SCORES[[2, 0]])
    assert (plain.features, plain.wanted) == (None, None)


def test_a_teachers_lesson_may_be_wider_than_the_batch() -> None:
    student = Lesson(SCORES[:1, :2], None, WANTED[1:2, :2])
    assert score_distance(student, Lesson(SCORES[:1], None, WANTED[1:2])) == 0
