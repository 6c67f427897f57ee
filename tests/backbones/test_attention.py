"""The one attention function, against attention written out by hand and across all families."""

import pytest
import torch
from torch import Tensor, nn

from afina.backbones.attention import Front, Kept, Pass, attend
from tests.tiny import FRONTED, shared

B, Q, K, T, P, D = 2, 4, 2, 5, 3, 8


class Site(nn.Module):
    """An attention module as transformers makes them, as far as the function looks at it."""

    def __init__(self, *, causal: bool) -> None:
        super().__init__()
        self.is_causal = causal
        self.num_key_value_groups = Q // K


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def by_hand(query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """softmax(q k / sqrt(d)) v over the places seen ``[B, T, S]``, grouped heads repeated."""
    key, value = (part.repeat_interleave(Q // K, dim=1) for part in (key, value))
    scores = query @ key.transpose(2, 3) / D**0.5
    scores = scores.masked_fill(~seen[:, None], -torch.inf)
    return (scores.softmax(-1) @ value).transpose(1, 2)


@pytest.mark.parametrize("causal", [True, False])
def test_each_row_sees_its_own_prefix_and_then_the_layer_s_keys(causal: bool) -> None:
    """Broken by a mask that is not widened, or widened on the right."""
    site = Site(causal=causal)
    query, key, value = drawn(B, Q, T, D), drawn(B, K, T, D), drawn(B, K, T, D)
    keys, values = drawn(B, K, P, D), drawn(B, K, P, D)
    visible = torch.tensor([[True, True, True], [True, False, False]])
    fronts = {site: [Front(keys, values, visible)]}
    got, _ = attend(site, query, key, value, None, prompt=Pass(fronts), scaling=D**-0.5)
    own = torch.ones(T, T, dtype=torch.bool)
    own = own.tril() if causal else own
    seen = torch.cat([visible[:, None].expand(B, T, P), own.expand(B, T, T)], dim=2)
    wanted = by_hand(query, torch.cat([keys, key], 2), torch.cat([values, value], 2), seen)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_an_added_bias_leaves_the_prefix_without_one() -> None:
    """T5's relative positions reach the text alone. Broken by padding the bias on the right."""
    site = Site(causal=False)
    query, key, value = drawn(B, Q, T, D), drawn(B, K, T, D), drawn(B, K, T, D)
    keys, values, bias = drawn(B, K, P, D), drawn(B, K, P, D), drawn(1, Q, T, T)
    fronts = {site: [Front(keys, values)]}
    got, _ = attend(
        site, query, key, value, None, prompt=Pass(fronts), scaling=1.0, position_bias=bias
    )
    whole_key = torch.cat([keys, key], 2).repeat_interleave(2, dim=1)
    whole_value = torch.cat([values, value], 2).repeat_interleave(2, dim=1)
    scores = query @ whole_key.transpose(2, 3)
    scores[..., P:] += bias
    wanted = (scores.softmax(-1) @ whole_value).transpose(1, 2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("prefixed", [True, False])
def test_plain_products_equal_the_fused_kernel(causal: bool, prefixed: bool) -> None:
    """In bfloat16 a wanted gradient takes the plain way. Broken by leaving its mask out."""
    site = Site(causal=causal)
    parts = [drawn(B, heads, T, D).bfloat16() for heads in (Q, K, K)]
    keys, values = drawn(B, K, P, D), drawn(B, K, P, D)
    visible = torch.tensor([[True, True, True], [False, False, True]])
    fronts = {site: [Front(keys, values, visible)]} if prefixed else {}
    fused, _ = attend(site, *parts, None, prompt=Pass(fronts), scaling=D**-0.5)
    parts[0].requires_grad_()
    plain, _ = attend(site, *parts, None, prompt=Pass(fronts), scaling=D**-0.5)
    assert plain.requires_grad
    torch.testing.assert_close(fused.float(), plain.detach().float(), atol=2e-2, rtol=0)


@pytest.mark.parametrize("family", FRONTED)
def test_gradients_reach_the_keys_and_values_at_every_site(family: str) -> None:
    """Six sites in a two-layer encoder-decoder, two in the others; each moves the logits."""
    frozen = shared(family).frozen
    ids = torch.tensor([[7, 8, 9, 10]])
    inputs = {"input_ids": ids}
    if frozen.kind == "encoder-decoder":
        inputs["decoder_input_ids"] = torch.tensor([[0, 7]])
    kept: list[Kept] = []
    with torch.no_grad():
        plain = frozen.model(**inputs, prompt=Pass(kept=kept)).logits
    assert len(kept) == (6 if frozen.kind == "encoder-decoder" else 2)
    shapes = [(1, each.keys.shape[1], P, each.keys.shape[3]) for each in kept]
    keys = [drawn(*shape).requires_grad_() for shape in shapes]
    values = [drawn(*shape).requires_grad_() for shape in shapes]
    fronts: dict[nn.Module, list[Front | None]] = {}
    for each, key, value in zip(kept, keys, values, strict=True):
        fronts.setdefault(each.site, []).append(Front(key, value))
    logits = frozen.model(**inputs, prompt=Pass(fronts)).logits
    assert not torch.allclose(plain, logits, atol=1e-3)
    (logits**2).sum().backward()
    for part in [*keys, *values]:
        assert part.grad is not None
        assert bool((part.grad.abs().amax(dim=(0, 1, 3)) > 0).all())
