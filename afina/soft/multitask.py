"""Multitask prompt tuning: one prompt that tasks share, and a matrix of rank one for each of them.

``prompt of task k = P* ∘ (u_k v_kᵀ)`` with ``P* [P, H]`` shared, ``u_k [P]`` and ``v_k [H]`` of the
task alone. Wang, Panda, Karlinsky, Feris, Sun and Kim 2023, "Multitask Prompt Tuning Enables
Parameter-Efficient Transfer Learning", https://arxiv.org/abs/2303.02861. We differ in the start of
the rank-one parts, which is one everywhere, so that each task begins with the shared prompt itself,
and in folding the mean of the sources' parts into the prompt that a target starts from.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.injection import Embeddings


class SharedPrompt(nn.Module):
    """P vectors that all tasks share, and two vectors a task that scale their rows and columns.

    The shared parameter is the vectors divided by ``scale``, the root mean square of the model's
    word vectors, so that one learning rate suits every model. A task's own two are parameters of
    their own, so that a batch without rows of the task leaves them as they are.
    """

    def __init__(self, vectors: Float[Tensor, "P H"], *, tasks: int, scale: float) -> None:
        super().__init__()
        length, width = vectors.shape
        self.scale = scale
        self.scaled = nn.Parameter(vectors / scale)
        self.rows = nn.ParameterList([torch.ones(length) for _ in range(tasks)])  # u, [P] each
        self.columns = nn.ParameterList([torch.ones(width) for _ in range(tasks)])  # v, [H] each

    def injection(self, task: int) -> Embeddings:
        """The prompt of a task as the backbone takes it."""
        return Embeddings(
            self.scaled * torch.outer(self.rows[task], self.columns[task]) * self.scale
        )

    def folded(self) -> Float[Tensor, "P H"]:
        """The shared prompt under the mean of the tasks' parts: where a further task starts."""
        with torch.no_grad():
            rows, columns = torch.stack([*self.rows]), torch.stack([*self.columns])
            return self.scaled * torch.outer(rows.mean(dim=0), columns.mean(dim=0)) * self.scale
