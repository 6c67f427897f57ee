"""A frozen encoder-decoder: the prompt stands in the encoder's input, the decoder answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Injections
from afina.backbones.layout import compose, padded
from afina.errors import ModelError


@dataclass(frozen=True)
class EncoderDecoder:
    """BART, T5 and their kin."""

    frozen: Frozen

    def features(self, rows: Sequence[Tokens], injections: Injections) -> Float[Tensor, "B H"]:
        """The mean of the encoder's states over the text's places, the prompt's left out."""
        states, _, text = self._read(rows, injections)
        weight = text[:, :, None].to(states.dtype)  # [B, N, 1]
        return (states.float() * weight).sum(dim=1) / weight.sum(dim=1)

    def loss(
        self, rows: Sequence[Tokens], targets: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, ""]:
        """Mean negative log-likelihood of the target tokens."""
        states, real, _ = self._read(rows, injections)
        inputs = [[self._start, *target[:-1]] for target in targets]
        logits = self._logits(states, real, inputs)
        wanted, _ = padded(targets, -100, device=logits.device)
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    def choose(
        self, rows: Sequence[Tokens], labels: Sequence[Tokens], injections: Injections
    ) -> Float[Tensor, "B C"]:
        """Log-probability of each label's tokens as the decoder's answer; the row is read once."""
        states, real, _ = self._read(rows, injections)
        scores = []
        for label in labels:
            inputs = [[self._start, *label[:-1]]] * len(rows)
            logits = self._logits(states, real, inputs).log_softmax(dim=-1)  # [B, n, V]
            tokens = torch.tensor(label, device=logits.device).expand(len(rows), -1)
            scores.append(logits.gather(2, tokens[:, :, None])[:, :, 0].sum(dim=1))
        return torch.stack(scores, dim=1)

    def write(
        self, rows: Sequence[Tokens], injections: Injections, *, tokens: int
    ) -> list[list[int]]:
        """The likeliest answer, token by token, up to ``tokens`` or the end token."""
        states, real, _ = self._read(rows, injections)
        end, device = self.frozen.tokenizer.eos_token_id, states.device
        ids = torch.full((len(rows), 1), self._start, dtype=torch.long, device=device)
        written: list[list[int]] = [[] for _ in rows]
        done, cache = torch.zeros(len(rows), dtype=torch.bool, device=device), None
        for _ in range(tokens):
            with self.frozen.computing():
                output = self.frozen.model(
                    encoder_outputs=BaseModelOutput(last_hidden_state=states),
                    attention_mask=real.long(),
                    decoder_input_ids=ids,
                    past_key_values=cache,
                    use_cache=True,
                )
            ids, cache = output.logits[:, -1].argmax(dim=-1, keepdim=True), output.past_key_values
            done = done | (ids[:, 0] == end)
            for row, token, over in zip(written, ids[:, 0].tolist(), done.tolist(), strict=True):
                if not over:
                    row.append(token)
            if bool(done.all()):
                break
        return written

    @property
    def _start(self) -> int:
        start = self.frozen.model.config.decoder_start_token_id
        if start is None:
            raise ModelError(f"the config of {self.frozen.name} names no decoder_start_token_id")
        return int(start)

    def _read(
        self, rows: Sequence[Tokens], injections: Injections
    ) -> tuple[Float[Tensor, "B N H"], Tensor, Tensor]:
        vectors, real, text = compose(self.frozen, rows, injections)
        with self.frozen.computing():
            output = self.frozen.model.get_encoder()(
                inputs_embeds=vectors, attention_mask=real.long()
            )
        return output.last_hidden_state, real, text

    def _logits(
        self, states: Tensor, real: Tensor, inputs: Sequence[Tokens]
    ) -> Float[Tensor, "B T V"]:
        ids, _ = padded(inputs, self.frozen.pad, device=states.device)
        with self.frozen.computing():
            output = self.frozen.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                attention_mask=real.long(),
                decoder_input_ids=ids,
                use_cache=False,
            )
        logits: Tensor = output.logits
        return logits.float()
