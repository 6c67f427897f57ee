"""Writing without a cache: each text is read anew, from its first token, for every next one."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Injections


@dataclass(frozen=True)
class AnewTurn:
    """Rows that are to be answered; ``generate`` takes it in place of a backbone's own turn."""

    backbone: Backbone
    rows: Sequence[Tokens]
    injections: Injections

    @property
    def frozen(self) -> Frozen:
        return self.backbone.frozen

    def speak(self, *, tokens: int) -> "AnewSpeech":
        """A text a row."""
        return AnewSpeech(self)


class AnewSpeech:
    """Texts that are being written; what the model says next is read off its likelihoods."""

    def __init__(self, turn: AnewTurn) -> None:
        self._turn = turn
        self._texts: list[tuple[int, list[int]]] = [(row, []) for row in range(len(turn.rows))]

    @property
    def logits(self) -> Float[Tensor, "R V"]:
        """The likelihood of each word of the vocabulary as the last one of the text."""
        turn, size = self._turn, int(self._turn.frozen.model.config.vocab_size)
        grown = [(row, [*text, word]) for row, text in self._texts for word in range(size)]
        scores = turn.backbone.token_likelihood(
            [turn.rows[row] for row, _ in grown],
            [text for _, text in grown],
            [turn.injections[row] for row, _ in grown],
        )
        return scores[:, -1].view(len(self._texts), size)

    def advance(self, ids: Int[Tensor, "R"]) -> None:
        pairs = zip(self._texts, ids.tolist(), strict=True)
        self._texts = [(row, [*text, word]) for (row, text), word in pairs]

    def take(self, texts: Int[Tensor, "R"]) -> None:
        self._texts = [self._texts[number] for number in texts.tolist()]
