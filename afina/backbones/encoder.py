"""A frozen encoder: features of a text, and words for its mask tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.attention import Kept, Pass
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Injections, KeyValues
from afina.backbones.layout import Layout, compose, counted, own_tokens, pooled
from afina.backbones.sites import (
    Place,
    Site,
    check_takes_fronts,
    fronts_of,
    key_values_of,
    sites_of,
)
from afina.errors import ModelError


@dataclass(frozen=True)
class Encoder:
    """BERT and its kin; texts are right-padded, prompts stand behind the leading special token."""

    frozen: Frozen

    def sites(self) -> tuple[Site, ...]:
        """The attention sites in the order in which a pass meets them.

        Raises:
            ModelError: the model computes attention in a way of its own.
        """
        return self._sites

    def read(self, text: Tokens) -> KeyValues:
        """The keys and values of a written text at all sites; special tokens are left out."""
        check_takes_fronts(self.frozen)
        kept: list[Kept] = []
        layout = compose(self.frozen, [text], [None])
        with torch.no_grad():
            self._trunk(layout, Pass(kept=kept))
        start = len(self.frozen.lead)
        return key_values_of(kept, slice(start, start + len(text)))

    def states(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B T H"]:
        """The last layer's states of the rows' own tokens, right-padded with zeros."""
        layout = self._compose(rows, injections)
        return own_tokens(self._trunk(layout, self._pass(injections)), layout.starts, rows)

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B H"]:
        """The mean over the text's places, special tokens included and the prompt's left out."""
        layout = self._compose(rows, injections)
        return pooled(self._trunk(layout, self._pass(injections)), layout.text)

    def likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B"]:
        """Log-probability of the words wanted at each row's mask tokens, one for each.

        Raises:
            ModelError: a row has not as many masks as its target has tokens, or no head writes.
        """
        return self.token_likelihood(rows, targets, injections).sum(dim=1)

    def token_likelihood(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B W"]:
        """The same word by word, right-padded with zeros.

        Raises:
            ModelError: a row has not as many masks as its target has tokens, or no head writes.
        """
        logits, counts = self._at_masks(rows, injections)
        if counts != [len(target) for target in targets]:
            raise ModelError("each row needs one mask token for each token of its target")
        wanted = torch.tensor([token for target in targets for token in target])
        found = -F.cross_entropy(logits, wanted.to(logits.device), reduction="none")  # [M]
        return nn.utils.rnn.pad_sequence(list(found.split(counts)), batch_first=True)

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
            logits[:, mask] = -torch.inf  # the mask is no word: filled with itself, a hole stays
            for number, scores in zip(open_rows, logits.split(counts), strict=True):
                open_places = [at for at, token in enumerate(filled[number]) if token == mask]
                best = scores[: sum(at in holes[number] for at in open_places)].max(dim=-1)
                surest = int(best.values.argmax())
                filled[number][open_places[surest]] = int(best.indices[surest])
        return [[row[at] for at in places] for row, places in zip(filled, holes, strict=True)]

    @cached_property
    def _sites(self) -> tuple[Site, ...]:
        check_takes_fronts(self.frozen)
        kept: list[Kept] = []
        with torch.no_grad():
            self._trunk(compose(self.frozen, [[self.frozen.pad]], [None]), Pass(kept=kept))
        return sites_of(kept, [Place.ENCODER] * len(kept))

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
        mask = self._mask()
        layout = self._compose(rows, injections)
        places = [
            (number, start + at)
            for number, (row, start) in enumerate(zip(rows, layout.starts.tolist(), strict=True))
            for at, token in enumerate(row)
            if token == mask
        ]
        index = torch.tensor(places, dtype=torch.long, device=layout.real.device).view(-1, 2)
        inputs = self._inputs(layout, self._pass(injections))
        with self.frozen.computing(), narrowed(self.frozen.model.base_model, index):
            output = self.frozen.model(**inputs)
        counts = [sum(token == mask for token in row) for row in rows]
        return output.logits[:, 0].float(), counts

    def _compose(self, rows: Sequence[Tokens], injections: Injections) -> Layout:
        return counted(self.frozen, compose(self.frozen, rows, injections), injections)

    def _pass(self, injections: Injections) -> Pass:
        prompts = [each if isinstance(each, KeyValues) else None for each in injections]
        return Pass(fronts_of(self.sites(), prompts) if any(prompts) else {})

    def _trunk(self, layout: Layout, prompt: Pass) -> Float[Tensor, "B N H"]:
        with self.frozen.computing():
            output = self.frozen.model.base_model(**self._inputs(layout, prompt))
        states: Tensor = output.last_hidden_state
        return states.float()

    def _inputs(self, layout: Layout, prompt: Pass) -> dict[str, Any]:
        inputs = {"inputs_embeds": layout.vectors, "attention_mask": layout.real.long()}
        if layout.kinds is not None:
            inputs["token_type_ids"] = layout.kinds
        if layout.positions is not None:
            inputs["position_ids"] = layout.positions
        return inputs | prompt.keywords


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
