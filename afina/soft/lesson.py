"""What a teacher says of rows, and how far a student is from it: distillation.

Logits: the Kullback-Leibler divergence of the student's label probabilities from the teacher's;
where the answer is written, that of two outcomes a token, the one wanted or any other, a lower
bound of the whole vocabulary's. Hidden states: the mean squared difference of the features,
in units of the teacher's own. Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531, as
Wang et al. 2023 (https://arxiv.org/abs/2303.02861) use it for prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

SUREST = -1e-6  # log-probabilities are cut here, so that the other outcome's is finite


@dataclass(frozen=True)
class Lesson:
    """Log-probabilities of labels C, or of a target's tokens where ``wanted``; and features."""

    scores: Float[Tensor, "B C"]
    features: Float[Tensor, "B H"] | None = None  # None: not asked for
    wanted: Bool[Tensor, "B C"] | None = None  # where a target's tokens stand; None: labels

    def at(self, places: Sequence[int]) -> "Lesson":
        """The lesson of some of the rows."""
        some = list(places)
        return Lesson(
            self.scores[some],
            None if self.features is None else self.features[some],
            None if self.wanted is None else self.wanted[some],
        )


@dataclass(frozen=True)
class Weights:
    """What the two distances count beside the task's own loss."""

    scores: float
    features: float


def joined(lessons: Sequence[Lesson]) -> Lesson:
    """Lessons of several batches as one; what is narrower is filled up."""
    features = [each.features for each in lessons if each.features is not None]
    wanted = [each.wanted for each in lessons if each.wanted is not None]
    return Lesson(
        filled([each.scores for each in lessons]),
        torch.cat(features) if features else None,
        filled(wanted) if wanted else None,
    )


def filled(parts: Sequence[Tensor]) -> Tensor:
    """Parts ``[B, C]`` of several widths under each other, zeros at their right."""
    width = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(part, (0, width - part.shape[1])) for part in parts])


def distance(student: Lesson, teacher: Lesson, weights: Weights) -> Tensor:
    """How far a student is from its teacher on the same rows, a scalar; 0 if they are the same."""
    found = weights.scores * score_distance(student, teacher)
    if student.features is None or teacher.features is None:
        return found
    return found + weights.features * feature_distance(student.features, teacher.features)


def score_distance(student: Lesson, teacher: Lesson) -> Tensor:
    """The mean divergence a row, or a token where the answer is written."""
    if student.wanted is None:
        apart = F.kl_div(student.scores, teacher.scores, log_target=True, reduction="none")
        return apart.sum(dim=1).mean()
    known = teacher.scores[:, : student.scores.shape[1]]  # a batch is as wide as its longest target
    return two_outcomes(student.scores, known)[student.wanted].mean()


def two_outcomes(student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Tensor:
    """The divergence ``[B, C]`` where only one outcome's log-probability is known of each."""
    mine, theirs = student.clamp(max=SUREST), teacher.clamp(max=SUREST)
    other_mine, other_theirs = log_of_rest(mine), log_of_rest(theirs)
    return theirs.exp() * (theirs - mine) + other_theirs.exp() * (other_theirs - other_mine)


def log_of_rest(scores: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
    """``log(1 - exp(x))`` of log-probabilities below 0."""
    return torch.log(-torch.expm1(scores))


def feature_distance(student: Float[Tensor, "B H"], teacher: Float[Tensor, "B H"]) -> Tensor:
    """The mean squared difference, where 1 is the teacher's own mean square."""
    size = teacher.pow(2).mean().clamp(min=torch.finfo(teacher.dtype).tiny)
    return (student - teacher).pow(2).mean() / size
