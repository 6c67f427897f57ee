"""How far a model under one prompt is from what it says under another."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from afina.backbones.backbone import Backbone, answer_logits
from afina.backbones.injection import Embeddings
from afina.errors import ModelError
from afina.soft.imitation import Imitation, divergence, likely
from afina.soft.reading import Read
from tests.tiny import DECODERS, ENCODER_DECODERS, shared

ROWS = [Read([6, 7], target=[12, 13, 14]), Read([8, 9, 10, 11], target=[15]), Read([7], target=[9])]
WRITERS = [*DECODERS, *ENCODER_DECODERS]


def vectors(backbone: Backbone, seed: int) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    return Embeddings(torch.randn(3, backbone.frozen.width, generator=generator))


def taught(backbone: Backbone, prompt: Embeddings) -> list[Read]:
    found = likely(
        backbone, [row.tokens for row in ROWS], [row.target for row in ROWS], [prompt] * len(ROWS)
    )
    return [replace(row, marks=each) for row, each in zip(ROWS, found, strict=True)]


def apart(backbone: Backbone, rows: list[Read], prompt: Embeddings) -> torch.Tensor:
    imitation = Imitation()
    return imitation.loss(imitation.gather(backbone, rows, [prompt] * len(rows)), rows)


@pytest.mark.parametrize("family", WRITERS)
def test_a_prompt_is_no_way_from_itself_and_some_from_another(family: str) -> None:
    backbone = shared(family)
    rows = taught(backbone, vectors(backbone, 1))
    assert apart(backbone, rows, vectors(backbone, 1)).item() == pytest.approx(0, abs=1e-5)
    assert apart(backbone, rows, vectors(backbone, 2)).item() > 1e-3


@pytest.mark.parametrize("family", WRITERS)
def test_the_mean_is_over_all_places_whatever_stands_beside_them(family: str) -> None:
    """Broken by reading the logits of padding, or by the mean of the rows' means."""
    backbone = shared(family)
    rows, other = taught(backbone, vectors(backbone, 1)), vectors(backbone, 2)
    alone = [apart(backbone, [row], other).item() * len(row.target) for row in rows]
    together = apart(backbone, rows, other).item() * sum(len(row.target) for row in rows)
    assert together == pytest.approx(sum(alone), abs=1e-5)


@pytest.mark.parametrize("family", WRITERS)
def test_logits_stand_where_the_likelihood_of_a_token_does(family: str) -> None:
    backbone = shared(family)
    tokens, targets = [row.tokens for row in ROWS], [row.target for row in ROWS]
    prompts = [vectors(backbone, 1)] * len(ROWS)
    found = answer_logits(backbone, tokens, targets, prompts).log_softmax(dim=-1)
    wanted = backbone.token_likelihood(tokens, targets, prompts)
    for number, target in enumerate(targets):
        at = torch.tensor(target)[:, None]
        said = found[number, : len(target)].gather(1, at)[:, 0]
        torch.testing.assert_close(said, wanted[number, : len(target)], atol=1e-5, rtol=0)


def test_with_all_tokens_kept_it_is_the_divergence_itself() -> None:
    generator = torch.Generator().manual_seed(3)
    first, second = torch.randn(2, 4, 7, generator=generator).log_softmax(dim=-1)
    wanted = F.kl_div(second, first, log_target=True, reduction="none").sum(dim=-1)
    torch.testing.assert_close(divergence(second, first.exp()), wanted, atol=1e-5, rtol=0)


def test_the_tokens_left_out_count_as_one() -> None:
    """By hand: 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75)."""
    found = divergence(torch.tensor([[0.25]]).log(), torch.tensor([[0.5]]))
    assert found.item() == pytest.approx(0.143841, abs=1e-6)


def test_an_encoder_is_refused() -> None:
    backbone = shared("bert")
    with pytest.raises(ModelError, match="is an encoder and writes nothing"):
        likely(backbone, [[6]], [[7]], [None])
