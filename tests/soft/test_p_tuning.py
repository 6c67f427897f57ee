"""P-tuning's vectors: they begin as their start, move by the network, and are folded away."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from afina.soft.p_tuning import FreeChange, NetworkChange, PTuning
from tests.tiny import shared

WORDS = "good bad film it was"


def start() -> Tensor:
    frozen = shared("bert").frozen
    return frozen.embed(frozen.encode(WORDS)).detach()


def change(network: str, *, hidden: int = 12, seed: int = 0) -> NetworkChange | FreeChange:
    if network == "none":
        return FreeChange((5, 32))
    generator = torch.Generator().manual_seed(seed)
    inputs = start() / 0.15
    return NetworkChange(inputs, hidden=hidden, reads_along=network == "lstm", generator=generator)


def prompt(network: str, *, hidden: int = 12, seed: int = 0) -> PTuning:
    return PTuning(start(), change(network, hidden=hidden, seed=seed), size=0.15)


NETWORKS = pytest.mark.parametrize("network", ["lstm", "mlp", "none"])


@NETWORKS
def test_vectors_begin_as_the_words_they_start_from(network: str) -> None:
    """Bit for bit. Broken by a last layer that is drawn at random."""
    injection = prompt(network).injection()
    assert injection.anywhere
    assert torch.equal(injection.vectors, start())


@pytest.mark.parametrize("network", ["lstm", "mlp"])
def test_vectors_are_the_formula_s(network: str) -> None:
    """A reference by hand: scaled weights, the LSTM both ways, linear, ReLU, linear."""
    tuned = prompt(network)
    moved(tuned)
    part = tuned.change
    assert isinstance(part, NetworkChange)
    weights = {
        name: weight / weight.shape[1] if weight.ndim == 2 else weight
        for name, weight in part.network.named_parameters()
    }
    states = part.inputs
    if network == "lstm":
        lstm = nn.LSTM(32, 12, bidirectional=True)
        lstm.load_state_dict({name: weights[f"lstm.{name}"] for name, _ in lstm.named_parameters()})
        states = lstm(states)[0]
    inner = torch.relu(states @ weights["inner.weight"].T + weights["inner.bias"])
    wanted = start() + 0.15 * (inner @ weights["outer.weight"].T + weights["outer.bias"])
    assert torch.allclose(tuned.injection().vectors, wanted, atol=1e-6)
    assert not torch.allclose(wanted, start(), atol=1e-2)


def moved(tuned: PTuning, steps: int = 3) -> None:
    """A few steps towards ones."""
    optimizer = torch.optim.Adam(tuned.parameters(), lr=0.3)
    for _ in range(steps):
        loss = (tuned.injection().vectors - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@NETWORKS
def test_every_parameter_gets_a_gradient(network: str) -> None:
    """After the first step, in which only the last layer moves. Broken by detached inputs."""
    tuned = prompt(network)
    moved(tuned, steps=1)
    tuned.zero_grad()
    tuned.injection().vectors.pow(2).sum().backward()
    for name, weight in tuned.named_parameters():
        assert weight.grad is not None, name
        assert bool(weight.grad.any()), name


@pytest.mark.parametrize("network", ["lstm", "mlp"])
@pytest.mark.parametrize("hidden", [8, 256])
def test_a_step_moves_vectors_about_as_far_at_any_width(network: str, hidden: int) -> None:
    """Broken by leaving products undivided: at 256 they then move twenty times as far."""
    tuned = prompt(network, hidden=hidden)
    moved(tuned, steps=2)
    far = (tuned.injection().vectors.detach() - start()).pow(2).mean().sqrt() / 0.15
    assert 0.5 < float(far) < 1.5


def test_an_lstm_tells_places_apart_and_its_ends_read_each_other() -> None:
    """Broken by an LSTM over a batch of places, each alone, or one that reads one way only."""
    tuned = prompt("lstm")
    moved(tuned)
    before = tuned.injection().vectors
    part = tuned.change
    assert isinstance(part, NetworkChange)
    for changed in (0, 4):
        kept = part.inputs.data.clone()
        part.inputs.data[changed] += 1
        after = tuned.injection().vectors
        assert not torch.allclose(after[4 - changed], before[4 - changed], atol=1e-7)
        part.inputs.data.copy_(kept)


@NETWORKS
def test_a_state_makes_the_same_vectors_again(network: str) -> None:
    """The start is in it: another prompt of another seed becomes this one. Bit for bit."""
    tuned = prompt(network)
    moved(tuned)
    other = PTuning(torch.zeros(5, 32), change(network, seed=7), size=0.15)
    other.load_state_dict(tuned.state_dict())
    assert torch.equal(other.injection().vectors, tuned.injection().vectors)


@pytest.mark.parametrize("network", ["lstm", "mlp"])
def test_a_seed_gives_one_network(network: str) -> None:
    """Whatever state torch's own generator is in. Broken by the layers' own initialisation."""

    def state(seed: int, ambient: int) -> list[Tensor]:
        torch.manual_seed(ambient)
        return list(prompt(network, seed=seed).state_dict().values())

    def same(one: list[Tensor], other: list[Tensor]) -> bool:
        return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    assert same(state(0, 1), state(0, 2))
    assert not same(state(0, 1), state(1, 1))


def test_the_network_is_run_once_however_often_the_vectors_are_used() -> None:
    """One call makes the injection that all rows of a batch share."""
    tuned = prompt("lstm")
    part = tuned.change
    assert isinstance(part, NetworkChange)
    calls: list[int] = []
    hook: Callable[..., None] = lambda *_: calls.append(1)  # noqa: E731  a hook of torch's form
    part.network.register_forward_hook(hook)
    injection = tuned.injection()
    backbone = shared("bert")
    rows = [[-1, 8, -2], [9, -5], [-3]]
    backbone.features(rows, [injection] * 3)
    assert len(calls) == 1
