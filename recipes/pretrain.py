"""Training a built-in model: ``python -m recipes.pretrain decoder --minutes 240``.

The same command goes on where a run was stopped, and then gives the weights that it would have
given without; what a step reads follows from the seed and its number alone.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, LlamaForCausalLM

from afina.backbones.builtin.folder import WEIGHTS
from afina.disk import Disk, lock_folder
from afina.training.checkpoint import Checkpoint, Checkpoints
from recipes import decoder, encoder, seq2seq
from recipes.adaptation import adapt
from recipes.attention import attend
from recipes.gradients import Part, gradients, keep_memory, mixed, workers
from recipes.optimiser import Optimisers, seeded
from recipes.portion import SIZES, Portion, Size
from recipes.prepare import DATA, digest
from recipes.schedule import SHARE, Schedule
from recipes.stock import Stock

RUNS = Path(__file__).parent / ".runs"
LOG_STEPS = 20
CHECK_STEPS = 500  # between two looks at what is kept for validation
SAVE_SECONDS = 300

Losses = Callable[[Stock, np.random.Generator, Portion], dict[str, Part]]
MODELS: dict[str, tuple[Callable[[Size], Any], Losses]] = {
    "decoder": (decoder.made, decoder.losses),
    "encoder": (encoder.made, encoder.losses),
    "seq2seq": (seq2seq.made, seq2seq.losses),
}


@dataclass(frozen=True)
class Plan:
    """What fixes a run's weights, with the data and the machine."""

    model: str
    size: str = "middle"
    seed: int = 0
    rate: float = 5e-3
    muon: bool = True
    talks: float = 1.0  # weight of the talks' loss beside the text's
    begin: str | None = None  # sha256 of the weights that it begins with in place of random ones
    portion: Portion = field(default_factory=Portion)


@dataclass(frozen=True)
class Place:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    schedule: Schedule = field(default_factory=Schedule)


def pretrain(
    plan: Plan,
    stock: Stock,
    folder: Path,
    *,
    steps: int | None = None,
    minutes: float = 0.0,
    stop_after: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    begin: Path | None = None,
) -> Any:
    """Train until the steps are done or the minutes are over; the model is given back.

    ``stop_after`` steps of this session it is left unfinished, as a killed run is. ``begin`` is
    the folder of the exported model that ``plan.begin`` names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder):
        seeded(plan.seed)
        make, losses = MODELS[plan.model]
        model = make(SIZES[plan.size])
        if begin and (decoder := begin_with(model, begin, stock)):
            decoder = attend(decoder.to(device), whole_matrices=device == "cpu")
            losses = partial(seq2seq.losses, decoder=decoder)
        model = model.to(device).train()
        attend(model, whole_matrices=device == "cpu")
        optimisers = Optimisers.of(model, rate=plan.rate, muon=plan.muon)
        checkpoints = Checkpoints(folder, Disk())
        place = Place(schedule=Schedule(steps))
        if found := checkpoints.load():
            refuse_other(found, plan, stock)
            place = restored(found, model, optimisers)
        with workers(threads) as pool:
            session = Session(plan, stock, folder, model, optimisers, checkpoints, losses, pool)
            session.run(place, minutes=minutes, stop_after=stop_after)
    return model.eval()


@dataclass(frozen=True)
class Session:
    """All that a run has in hand."""

    plan: Plan
    stock: Stock
    folder: Path
    model: Any
    optimisers: Optimisers
    checkpoints: Checkpoints
    losses: Losses
    pool: ThreadPoolExecutor

    def run(self, place: Place, *, minutes: float, stop_after: int | None) -> None:
        """Step after step, with a log, checks and checkpoints between."""
        last = None if stop_after is None else place.step + stop_after
        clock = saved = time.monotonic()
        while place.step != place.schedule.end and place.step != last:
            found = self.step(place)
            now = time.monotonic()
            place = replace(place, step=place.step + 1, seconds=place.seconds + now - clock)
            clock = now
            if place.schedule.end is None and place.seconds > 60 * minutes * (1 - SHARE):
                place = replace(place, schedule=place.schedule.ending(place.step))
            if place.step % LOG_STEPS == 0 or place.step == place.schedule.end:
                self.note(place, found)
            if now - saved > SAVE_SECONDS or place.step == place.schedule.end:
                self.save(place)
                saved = now

    def step(self, place: Place) -> dict[str, Tensor]:
        """One step of the optimisers."""
        draw = np.random.default_rng([self.plan.seed, place.step])
        parts = self.losses(self.stock, draw, self.plan.portion)
        weights = {"text": 1.0, "talks": self.plan.talks}
        found = gradients(self.model, parts, weights, self.pool)
        self.optimisers.step(place.schedule.rate(place.step), self.pool)
        return found

    def note(self, place: Place, found: dict[str, Tensor]) -> None:
        """A line of the log; at times with losses on what is never trained on."""
        line: dict[str, object] = {
            "step": place.step,
            "tokens": place.step * self.plan.portion.tokens,
            "seconds": round(place.seconds, 1),
            "rate": round(self.plan.rate * place.schedule.rate(place.step - 1), 6),
            **{name: round(loss.item(), 4) for name, loss in found.items()},
        }
        if place.step % CHECK_STEPS == 0 or place.step == place.schedule.end:
            line["kept"] = self.check()
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def check(self) -> dict[str, float]:
        """Mean losses on the kept part of the stock, always the same."""
        kept, (_, losses) = self.stock.kept, MODELS[self.plan.model]
        totals: dict[str, float] = {}
        with torch.no_grad(), mixed(self.model.eval()):
            for number in range(4):
                draw = np.random.default_rng(number)
                for name, part in losses(kept, draw, Portion()).items():
                    totals[name] = totals.get(name, 0.0) + part(self.model).item() / 4
        self.model.train()
        return {name: round(total, 4) for name, total in totals.items()}

    def save(self, place: Place) -> None:
        """Keep all that going on needs."""
        weights = {f"weight:{name}": each.detach() for name, each in self.model.named_parameters()}
        facts = {"plan": asdict(self.plan), "data": self.stock.digest, **asdict(place)}
        self.checkpoints.save(place.step, {**weights, **self.optimisers.tensors()}, facts)


def begin_with(model: Any, folder: Path, stock: Stock) -> LlamaForCausalLM | None:
    """Give a model the weights of an exported one, or of a decoder, which it is then to follow.

    Such a decoder is given back. Raises SystemExit where the folder's model is of another kind.
    """
    kind = AutoConfig.from_pretrained(folder).model_type
    if kind == model.config.model_type:
        found = type(model).from_pretrained(folder, dtype=torch.float32)
        model.load_state_dict(found.state_dict())
        return None
    if (kind, model.config.model_type) != ("llama", "t5"):
        raise SystemExit(
            f"{folder} holds a {kind}, which a {model.config.model_type} cannot begin with; "
            "name a folder of its own kind, or for seq2seq that of a decoder"
        )
    decoder = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    adapt(model, decoder, stock)
    decoder.eval()
    return decoder


def refuse_other(found: Checkpoint, plan: Plan, stock: Stock) -> None:
    """Raise SystemExit where a checkpoint is of another plan or of other data."""
    run, facts = found.path.parent, found.facts
    if facts["plan"] != asdict(plan):
        raise SystemExit(f"{run} holds a run of another plan: {facts['plan']}; name another --run")
    if facts["data"] != stock.digest:
        raise SystemExit(
            f"{run} was trained on other data; prepare those again or name another --run"
        )


def restored(found: Checkpoint, model: Any, optimisers: Optimisers) -> Place:
    """Put a checkpoint's weights and memories back, and say where it was."""
    facts = found.facts
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(found.tensors[f"weight:{name}"])
    memories = {
        name: value for name, value in found.tensors.items() if not name.startswith("weight:")
    }
    optimisers.restore(memories)
    return Place(facts["step"], facts["seconds"], Schedule(**facts["schedule"]))


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("--size", choices=sorted(SIZES), default="middle")
    parser.add_argument("--minutes", type=float, default=240.0, help="all sessions together")
    parser.add_argument("--steps", type=int, help="in place of minutes")
    parser.add_argument("--threads", type=int, default=2, help="text and talks side by side: 2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--adamw", action="store_true", help="in place of Muon")
    parser.add_argument("--talks", type=float, default=Plan.talks, help="weight of the talks")
    parser.add_argument("--text-rows", type=int, default=Portion.text_rows, help="of a step")
    parser.add_argument("--talk-rows", type=int, default=Portion.talk_rows, help="of a step")
    parser.add_argument(
        "--begin",
        type=Path,
        help="folder of an exported model to train on; seq2seq: or of a decoder to follow",
    )
    parser.add_argument("--run", help="name of the run's folder under recipes/.runs")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    plan = Plan(
        told.model,
        told.size,
        told.seed,
        told.rate,
        not told.adamw,
        told.talks,
        portion=Portion(told.text_rows, talk_rows=told.talk_rows),
    )
    if told.begin:
        plan = replace(plan, begin=digest(told.begin / WEIGHTS))
    folder = RUNS / (told.run or f"{told.model}-{told.size}-{told.seed}")
    pretrain(
        plan,
        Stock.at(told.data),
        folder,
        steps=told.steps,
        minutes=told.minutes,
        device=told.device,
        threads=told.threads,
        begin=told.begin,
    )
    print(folder)


if __name__ == "__main__":
    main()
