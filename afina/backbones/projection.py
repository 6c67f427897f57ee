"""What a model makes its next word from: the state that its projection to the vocabulary takes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.injection import Injections
from afina.errors import ModelError


def answer_states(
    backbone: Backbone, rows: Sequence[Tokens], injections: Injections
) -> Float[Tensor, "B E"]:
    """The state at each row's one mask, or behind the row, as the vocabulary's projection takes it.

    An encoder without a language-model head gives the last layer's state at the mask.

    Raises:
        ModelError: a row of an encoder has not exactly one mask.
    """
    frozen = backbone.frozen
    if not frozen.writes:
        return _at_mask(backbone, rows, injections)
    with entering(frozen.model.get_output_embeddings()) as found:
        backbone.choose(rows, [[frozen.pad]], injections)
    return found[0][:, -1].float()  # [B, E]


def answer_vectors(backbone: Backbone, words: Tokens) -> Float[Tensor, "W E"]:
    """What scores words in those states: the projection's rows, or the words' own last states."""
    frozen = backbone.frozen
    with torch.no_grad():
        if not frozen.writes:
            return backbone.states([words], [None])[0]
        rows: Tensor = frozen.model.get_output_embeddings().weight[list(words)]
    return rows.detach().float()


def answer_width(frozen: Frozen) -> int:
    """The size E of those states."""
    if not frozen.writes:
        return frozen.hidden
    return int(frozen.model.get_output_embeddings().weight.shape[1])


@contextmanager
def entering(module: nn.Module) -> Iterator[list[Tensor]]:
    """What a module is given while the context is open."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Any, ...]) -> None:  # torch's own signature
        found.append(inputs[0])

    hook = module.register_forward_pre_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


def _at_mask(
    backbone: Backbone, rows: Sequence[Tokens], injections: Injections
) -> Float[Tensor, "B H"]:
    mask = backbone.frozen.tokenizer.mask_token_id
    if any(list(row).count(mask) != 1 for row in rows):
        raise ModelError("each row needs exactly one mask token for a label to stand at")
    states = backbone.states(rows, injections)  # [B, T, H]
    places = torch.tensor([list(row).index(mask) for row in rows], device=states.device)
    return states[torch.arange(len(rows), device=states.device), places]
