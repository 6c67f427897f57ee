"""What a teacher says of rows, and how far a student is from it: distillation.

Logits: the Kullback-Leibler divergence of the student's label probabilities from the teacher's;
where the answer is written, that of two outcomes a token, the one wanted or any other, a lower
bound of the whole vocabulary's. Hidden states: the mean squared difference of the features,
in units of the teacher's own. Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531, as
Wang et al. 2023 (https://arxiv.org/abs/2303.02861) use it for prompts.
"""

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

    def at(self, places: list[int], *, width: int) -> "Lesson":
        """The lesson of some of the rows, its scores cut to a width."""
        return Lesson(
            self.scores[places, :width],
            None if self.features is None else self.features[places],
            None if self.wanted is None else self.wanted[places, :width],
        )


@dataclass(frozen=True)
class Weights:
    """What the two distances count beside the task's own loss."""

    scores: float
    features: float


def distance(student: Lesson, teacher: Lesson, weights: Weights) -> Tensor:
    """How far a student is from its teacher on the same rows, a scalar; 0 if they are the same."""
    found = weights.scores * score_distance(student, teacher)
    if student.features is None or teacher.features is None:
        return found
    return found + weights.features * feature_distance(student.features, teacher.features)


def score_distance(student: Lesson, teacher: Lesson) -> Tensor:
    """The mean divergence a row, or a token where the answer is written."""
    if teacher.wanted is None:
        apart = F.kl_div(student.scores, teacher.scores, log_target=True, reduction="none")
        return apart.sum(dim=1).mean()
    return two_outcomes(student.scores, teacher.scores)[teacher.wanted].mean()


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
