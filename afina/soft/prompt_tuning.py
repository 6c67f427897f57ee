"""Prompt tuning: vectors at the input of a frozen model, trained; nothing else moves.

``input = lead | P trained vectors | text | trail``. Lester, Al-Rfou and Constant 2021, "The Power
of Scale for Parameter-Efficient Prompt Tuning", https://arxiv.org/abs/2104.08691. We differ in the
optimiser (Adam with a rate relative to the size of the model's own word vectors, not Adafactor) and
in reading a causal decoder's prompt once a batch instead of once a row.
"""

from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.injection import Embeddings


class PromptTuning(nn.Module):
    """P trained vectors of the model's width.

    The parameter is the vectors divided by ``scale``, the root mean square of the model's word
    vectors, so that one learning rate suits every model.
    """

    def __init__(self, vectors: Float[Tensor, "P H"], *, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.scaled = nn.Parameter(vectors / scale)

    def injection(self) -> Embeddings:
        """The prompt as the backbone takes it."""
        return Embeddings(self.scaled * self.scale)
