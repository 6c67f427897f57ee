"""A prefix is its start and a change in units of each site's own keys and values."""

import pytest
import torch
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.injection import KeyValues
from afina.backbones.sites import Place, fronts_of
from afina.soft.learner import Learner, SoftPrompt
from afina.soft.prefix_init import at_sites, from_chance, from_words, sizes_of
from afina.soft.prefix_tuning import FreeChange, NetworkChange, PrefixTuning
from afina.soft.reading import Read
from tests.backbones.test_identities import PROMPT, TEXTS, answers, assert_same, rows_for
from tests.tiny import ENCODER_DECODERS, FRONTED, shared

NETWORKS = ["none", "mlp"]


def prefix_at(backbone: Backbone, sites: tuple[int, ...], network: str) -> PrefixTuning:
    """A prefix of the words of a prompt, at some sites."""
    words = backbone.frozen.encode(PROMPT)
    start = at_sites(from_words(backbone, words, len(words)), sites)
    return PrefixTuning(start, sizes_of(backbone)[:, list(sites)], change_of(start, network))


def change_of(start: KeyValues, network: str, seed: int = 0) -> FreeChange | NetworkChange:
    sites, heads, length, size = start.keys.shape
    shape = (sites, heads, length, size)
    if network == "none":
        return FreeChange(shape)
    generator = torch.Generator().manual_seed(seed)
    return NetworkChange(shape, width=32, hidden=16, generator=generator)


def all_sites(backbone: Backbone) -> tuple[int, ...]:
    return tuple(range(len(backbone.sites())))


def stir(prefix: PrefixTuning) -> PrefixTuning:
    """The same with parameters of its own, as after training."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in prefix.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return prefix


@pytest.mark.parametrize("network", NETWORKS)
def test_a_prefix_of_written_words_begins_as_those_words(network: str) -> None:
    """To the bit it is what was read. Broken by a last layer that starts at random."""
    backbone = shared("gpt2")
    prefix = prefix_at(backbone, all_sites(backbone), network)
    assert isinstance(prefix, SoftPrompt)
    words, rows = backbone.frozen.encode(PROMPT), rows_for(backbone, TEXTS)
    read, injection = backbone.read(words), prefix.injection()
    assert torch.equal(injection.keys, read.keys)
    assert torch.equal(injection.values, read.values)
    written_out = answers(backbone, [[*words, *row] for row in rows], [None] * len(rows))
    assert_same(answers(backbone, rows, [injection] * len(rows)), written_out)


@pytest.mark.parametrize("family", FRONTED)
def test_folding_the_network_away_changes_no_answer(family: str) -> None:
    """The folded keys and values, alone, against the module with its network.

    Broken by folding without the start.
    """
    backbone = shared(family)
    prefix = stir(prefix_at(backbone, all_sites(backbone), "mlp"))
    rows = rows_for(backbone, TEXTS)
    with torch.no_grad():
        made = prefix.injection()
    folded = KeyValues(made.keys.clone(), made.values.clone(), start=made.start)
    assert not folded.keys.requires_grad
    whole = answers(backbone, rows, [prefix.injection()] * len(rows))
    assert_same(answers(backbone, rows, [folded] * len(rows)), whole)
    start = prefix_at(backbone, all_sites(backbone), "mlp").injection()
    assert not torch.allclose(answers(backbone, rows, [start] * len(rows))[0], whole[0], atol=1e-3)


def test_the_network_is_the_formula() -> None:
    """By hand, a place and a number at a time; broken by a view in another order."""
    backbone = shared("bart")
    prefix = stir(prefix_at(backbone, (1, 3, 4), "mlp"))
    network, made = prefix.change, prefix.injection()
    assert isinstance(network, NetworkChange)
    sites, heads, length, size = made.keys.shape
    for place, site, head, number in [(0, 0, 0, 0), (2, 1, 3, 5), (length - 1, 2, 1, 7)]:
        inner = [
            torch.tanh((weights * network.embedding[place]).sum() / 32 + bias)
            for weights, bias in zip(network.inner, network.inner_bias, strict=True)
        ]
        for kind, part in enumerate((made.keys, made.values)):
            at = ((kind * sites + site) * heads + head) * size + number
            change = (network.outer[at] * torch.stack(inner)).sum() / 16 + network.outer_bias[at]
            start = prefix.start[kind, site, head, place, number]
            wanted = start + prefix.sizes[kind, site] * change
            torch.testing.assert_close(part[site, head, place, number], wanted)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_is_in_units_of_the_site_s_own(network: str) -> None:
    """A step of Adam moves each number by about the rate times its site's size, at any width.

    Without a network by the rate itself. Broken by leaving the sizes out, or the division by the
    network's width: 64 terms then move it 30 times too far.
    """
    sizes = torch.tensor([[1.0, 20.0], [0.1, 3.0]])
    start = KeyValues(torch.zeros(2, 2, 3, 8), torch.zeros(2, 2, 3, 8))
    change: FreeChange | NetworkChange = FreeChange((2, 2, 3, 8))
    if network == "mlp":
        generator = torch.Generator().manual_seed(0)
        change = NetworkChange((2, 2, 3, 8), width=48, hidden=64, generator=generator)
    prefix = PrefixTuning(start, sizes, change)
    optimizer = torch.optim.Adam(prefix.parameters(), lr=0.1)
    made = prefix.injection()
    (made.keys[:, :, 0].sum() + made.values[:, :, 0].sum()).backward()
    optimizer.step()
    now = prefix.injection()
    for part, own in zip((now.keys, now.values), sizes, strict=True):
        moved = -part[:, :, 0].mean(dim=(1, 2)) / own
        least, most = (0.0999, 0.1001) if network == "none" else (0.1, 0.2)
        assert bool(((moved > least) & (moved < most)).all()), moved


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("family", FRONTED)
def test_only_the_prefix_gets_a_gradient(family: str, network: str) -> None:
    backbone = shared(family)
    prefix = stir(prefix_at(backbone, all_sites(backbone), network))
    rows = rows_for(backbone, TEXTS)
    targets = [backbone.frozen.encode("great")] * len(rows)
    backbone.likelihood(rows, targets, [prefix.injection()] * len(rows)).sum().backward()
    for parameter in prefix.parameters():
        assert parameter.grad is not None
        assert bool(parameter.grad.any())
    assert all(weight.grad is None for weight in backbone.frozen.model.parameters())


class Counted(NetworkChange):
    """A network that knows how often it was asked."""

    asked = 0

    def forward(self) -> Tensor:
        self.asked += 1
        return super().forward()


class Rows(nn.Module):
    """An answer that only reads the rows."""

    def gather(self, backbone: Backbone, rows: list[Read], injections: list[KeyValues]) -> Tensor:
        return backbone.features([row.tokens for row in rows], injections)

    def loss(self, gathered: Tensor, rows: list[Read]) -> Tensor:
        return gathered.sum()

    def answer(self, backbone: Backbone, rows: list[Read], injections: list[KeyValues]) -> None:
        raise AssertionError


def test_the_network_is_computed_once_a_step() -> None:
    """Broken by asking for the injection row by row."""
    backbone = shared("bert")
    start = from_words(backbone, backbone.frozen.encode(PROMPT), 4)
    generator = torch.Generator().manual_seed(0)
    change = Counted((2, 4, 4, 8), width=32, hidden=8, generator=generator)
    prefix = PrefixTuning(start, sizes_of(backbone), change)
    learner = Learner(backbone, prefix, Rows(), rates=(0.1, 0.1))
    learner.loss([Read(row) for row in rows_for(backbone, TEXTS)]).backward()
    assert change.asked == 1


def with_gradients(backbone: Backbone, prefix: PrefixTuning) -> list[bool]:
    """Whether what each site computes of two rows leads back to a parameter, in their order."""
    found: list[bool] = []

    def look(module: nn.Module, inputs: object, output: object) -> None:
        states = output[0] if isinstance(output, tuple) else output
        assert isinstance(states, Tensor)
        found.append(states.grad_fn is not None)

    modules = {site.module for site in backbone.sites()}
    hooks = [module.register_forward_hook(look) for module in modules]
    rows = rows_for(backbone, TEXTS[:2])
    targets = [backbone.frozen.encode("great")] * 2
    try:
        loss = backbone.likelihood(rows, targets, [prefix.injection()] * 2).sum()
    finally:
        for hook in hooks:
            hook.remove()
    loss.backward()
    return found


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("family", [each for each in FRONTED if each not in ENCODER_DECODERS])
def test_under_a_prefix_in_upper_layers_nothing_goes_back(family: str, network: str) -> None:
    """The lower layer leaves no trace for autograd, and its sites get nothing in front.

    Broken by zeros with gradients in front of the sites that are left out.
    """
    backbone = shared(family)
    prefix = prefix_at(backbone, (1,), network)
    assert with_gradients(backbone, prefix) == [False, True]
    assert with_gradients(backbone, prefix_at(backbone, (0,), network)) == [True, True]
    assert in_front(backbone, prefix) == [False, True]


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_under_a_prefix_in_the_decoder_s_upper_layer_nothing_goes_back(family: str) -> None:
    """Encoder 0 1, then the decoder's own and its cross-attention, in turn."""
    backbone = shared(family)
    upper = prefix_at(backbone, (4, 5), "none")
    assert with_gradients(backbone, upper) == [False] * 4 + [True] * 2
    assert in_front(backbone, upper) == [False] * 4 + [True] * 2
    encoder = prefix_at(backbone, (1,), "none")
    # the decoder's first own attention has read nothing of the text yet
    assert with_gradients(backbone, encoder) == [False, True, False, True, True, True]


def in_front(backbone: Backbone, prefix: PrefixTuning) -> list[bool]:
    """Whether anything stands in front, at each site."""
    fronts = fronts_of(backbone.sites(), [prefix.injection()])
    return [
        site.module in fronts and fronts[site.module][site.meeting] is not None
        for site in backbone.sites()
    ]


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_a_place_that_is_left_out_has_no_keys_and_values(family: str) -> None:
    """So nothing of them can be trained. Broken by keeping all sites of the start."""
    backbone = shared(family)
    encoder = tuple(
        number for number, site in enumerate(backbone.sites()) if site.place is Place.ENCODER
    )
    made = prefix_at(backbone, encoder, "none").injection()
    assert made.sites == encoder
    assert len(made.keys) == len(made.values) == 2


def test_places_that_start_with_values_of_0_grow_apart() -> None:
    """Broken by keys of 0: all places then get one gradient, at this step and at every other."""
    backbone = shared("bert")
    generator = torch.Generator().manual_seed(0)
    start = from_chance(backbone, sizes_of(backbone), 3, generator, values=False)
    prefix = PrefixTuning(start, sizes_of(backbone), FreeChange((2, 4, 3, 8)))
    rows = rows_for(backbone, TEXTS)
    backbone.features(rows, [prefix.injection()] * len(rows))[:, :5].sum().backward()
    assert isinstance(prefix.change, FreeChange)
    assert prefix.change.change.grad is not None
    values = prefix.change.change.grad[1]
    assert not torch.allclose(values[:, :, 0], values[:, :, 1], rtol=1e-2)


def test_a_checkpoint_holds_all_that_the_prefix_is() -> None:
    """Its start and sizes too: loaded into one that began elsewhere, it is the same prefix."""
    backbone = shared("bert")
    first = stir(prefix_at(backbone, (0, 1), "mlp"))
    start = from_chance(
        backbone, sizes_of(backbone), 8, torch.Generator().manual_seed(9), values=True
    )
    other = PrefixTuning(start, torch.ones(2, 2), change_of(start, "mlp", seed=4))
    other.load_state_dict(first.state_dict())
    assert torch.equal(other.injection().keys, first.injection().keys)
    assert torch.equal(other.injection().values, first.injection().values)
