"""A frozen encoder: features of a text, and words for its mask tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Injections
from afina.backbones.layout import compose
from afina.errors import ModelError


@dataclass(frozen=True)
class Encoder:
    """BERT and its kin; texts are right-padded, prompts stand behind the leading special token."""

    frozen: Frozen

    def states(
        self, rows: Sequence[Tokens], injections: Injections
    ) -> tuple[Float[Tensor, "B N H"], Tensor]:
        """The last layer's states and the mask of places that hold text, not prompt or padding."""
        vectors, real, text = compose(self.frozen, rows, injections)
        with self.frozen.computing():
            output = self.frozen.model.base_model(inputs_embeds=vectors, attention_mask=real.long())
        return output.last_hidden_state.float(), text

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B H"]:
        """The mean over the text's places, special tokens included and the prompt's left out."""
        states, text = self.states(rows, injections)
        weight = text[:, :, None].to(states.dtype)  # [B, N, 1]
        return (states * weight).sum(dim=1) / weight.sum(dim=1)

    def loss(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, ""]:
        """Mean negative log-likelihood of the words wanted at the rows' mask tokens.

        Raises:
            ModelError: a row has not as many masks as its target has tokens, or no head writes.
        """
        wanted = [token for target in targets for token in target]
        logits, counts = self._at_masks(rows, injections)
        if counts != [len(target) for target in targets]:
            raise ModelError("each row needs one mask token for each token of its target")
        return F.cross_entropy(logits, torch.tensor(wanted, device=logits.device))

    def choose(
        self, rows: Sequence[Tokens], labels: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B C"]:
        """Log-probabilities of one-token labels at the one mask token of each row.

        Raises:
            ModelError: a label takes several tokens, or a row has not exactly one mask.
        """
        if any(len(label) != 1 for label in labels):
            raise ModelError("an encoder's label words must be one token each; choose other words")
        logits, counts = self._at_masks(rows, injections)
        if any(count != 1 for count in counts):
            raise ModelError("each row needs exactly one mask token for a label to stand at")
        words = torch.tensor([label[0] for label in labels], device=logits.device)
        return logits.log_softmax(dim=-1)[:, words]

    def write(
        self, rows: Sequence[Tokens], injections: Injections, *, tokens: int
    ) -> list[list[int]]:
        """The words for each row's masks, at most ``tokens`` of them, the surest filled first.

        Source: Mask-Predict, Ghazvininejad et al. 2019, https://arxiv.org/abs/1904.09324, with
        one word fixed in each pass.
        """
        mask = self._mask()
        filled = [list(row) for row in rows]
        holes = [[at for at, token in enumerate(row) if token == mask][:tokens] for row in rows]
        while open_rows := [
            number
            for number, row in enumerate(filled)
            if any(row[at] == mask for at in holes[number])
        ]:
            logits, counts = self._at_masks(
                [filled[number] for number in open_rows], [injections[n] for n in open_rows]
            )
            for number, scores in zip(open_rows, logits.split(counts), strict=True):
                open_places = [at for at, token in enumerate(filled[number]) if token == mask]
                best = scores[: sum(at in holes[number] for at in open_places)].max(dim=-1)
                surest = int(best.values.argmax())
                filled[number][open_places[surest]] = int(best.indices[surest])
        return [[row[at] for at in places] for row, places in zip(filled, holes, strict=True)]

    def _mask(self) -> int:
        if not self.frozen.writes or self.frozen.tokenizer.mask_token_id is None:
            raise ModelError(
                f"{self.frozen.name} has no masked-language head; use a classification head instead"
            )
        return int(self.frozen.tokenizer.mask_token_id)

    def _at_masks(
        self, rows: Sequence[Tokens], injections: Injections
    ) -> tuple[Float[Tensor, "M V"], list[int]]:
        """Logits at every mask token, row by row, and how many each row has."""
        mask, lead = self._mask(), len(self.frozen.lead)
        vectors, real, text = compose(self.frozen, rows, injections)
        lengths = (real & ~text).sum(dim=1).tolist()
        places = [
            (number, lead + lengths[number] + at)
            for number, row in enumerate(rows)
            for at, token in enumerate(row)
            if token == mask
        ]
        index = torch.tensor(places, dtype=torch.long, device=vectors.device).view(-1, 2)
        with self.frozen.computing(), narrowed(self.frozen.model.base_model, index):
            output = self.frozen.model(inputs_embeds=vectors, attention_mask=real.long())
        counts = [sum(token == mask for token in row) for row in rows]
        return output.logits[:, 0].float(), counts


@contextmanager
def narrowed(trunk: nn.Module, places: Tensor) -> Iterator[None]:
    """Let only some places ``[M, 2]`` (row, column) of a trunk's states reach the head.

    The head then computes vocabulary logits ``[M, 1, V]`` where they are needed, not everywhere.
    """

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> Any:  # transformers' output classes
        output.last_hidden_state = output.last_hidden_state[places[:, 0], places[:, 1]][:, None]
        return output

    hook = trunk.register_forward_hook(keep)
    try:
        yield
    finally:
        hook.remove()
