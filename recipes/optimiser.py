"""AdamW for tables and norms, Muon for the matrices between them; all as one."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from recipes.gradients import has_bfloat16
from recipes.muon import Muon

DECAY = 0.1
# T5 does not divide its scores by the root of a head's width; its queries' steps are, in its
# place, or each place soon looks at one other alone (docs/log.md).
T5_QUERY = "Attention.q.weight"


@dataclass(frozen=True)
class Optimisers:
    """Several optimisers, each with the highest rate of its own, and their parameters' names."""

    parts: tuple[Optimizer, ...]
    rates: tuple[float, ...]
    names: Mapping[Tensor, str]

    @classmethod
    def of(cls, model: nn.Module, *, rate: float, muon: bool) -> "Optimisers":
        """Optimisers for all weights of a model."""
        names = {weight: name for name, weight in model.named_parameters()}
        tables = {module.weight for module in model.modules() if isinstance(module, nn.Embedding)}
        inner = [each for each in names if each.ndim == 2 and each not in tables]
        queries = [each for each in inner if names[each].endswith(T5_QUERY)]
        betas = (0.9, 0.98)
        precision = torch.bfloat16 if has_bfloat16(next(iter(names)).device) else torch.float32

        def matrices(own: list[Tensor], rate: float) -> Optimizer:
            if muon:
                return Muon(own, rate, DECAY, precision=precision)
            return AdamW(own, rate, betas, weight_decay=DECAY)

        def others(own: list[Tensor], rate: float) -> Optimizer:
            return AdamW(own, rate, betas, weight_decay=0.0)

        plain = [each for each in inner if each not in set(queries)]
        found = [
            *[(matrices(half, rate), rate) for half in (plain[::2], plain[1::2])],  # one a core
            (others([each for each in names if each not in set(inner)], rate), rate),
        ]
        if queries:
            slow = rate / model.config.d_kv**0.5
            found.append((matrices(queries, slow), slow))
        return cls(tuple(part for part, _ in found), tuple(own for _, own in found), names)

    def step(self, share: float, pool: ThreadPoolExecutor) -> None:
        """One step at a share of the highest rates, side by side; gradients are cleared."""
        nn.utils.clip_grad_norm_(list(self.names), 1.0)

        def move(part: Optimizer, rate: float) -> None:
            for group in part.param_groups:
                group["lr"] = rate * share
            part.step()
            part.zero_grad()

        list(pool.map(move, self.parts, self.rates))

    def tensors(self) -> dict[str, Tensor]:
        """What they remember, by weight."""
        return {
            f"{key}:{self.names[weight]}": value
            for part in self.parts
            for weight, state in part.state.items()
            for key, value in state.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Remember what ``tensors`` gave."""
        weights = {name: weight for weight, name in self.names.items()}
        owners = {
            weight: part
            for part in self.parts
            for group in part.param_groups
            for weight in group["params"]
        }
        for name, value in tensors.items():
            key, _, of = name.partition(":")
            weight = weights[of]
            kept = value.clone() if key == "step" else value.to(weight.device).clone()
            owners[weight].state[weight][key] = kept


def seeded(seed: int) -> None:
    """Make what follows the same on the same machine."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # every step writes what it reads
