"""Several learners trained in one pass over one frozen model, beside one after the other.

Prompt tuning (20 vectors) on two threads by the loop that ``--seeds`` runs, rows of 16
to 24 random words: the MiniLM classifier with a head, and a decoder of GPT-2's shape with label
words. Each learner has a seed of its own, so its batches are its own too. In float32 the loss
curves must be equal to 1e-4; bfloat16, which runs take where the processor has it, is timed beside
it. A step's time is the best of the run's; one after the other, the sum over the learners. Writes
together.md.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from pathlib import Path

import torch
from torch import Tensor, nn

from afina.backbones.backbone import Backbone, backbone_of, with_precision
from afina.backbones.frozen import freeze
from afina.disk import Disk
from afina.soft.answer import HeadAnswer, LabelWords
from afina.soft.heads import ClassificationHead
from afina.soft.learner import Learner, joint_losses
from afina.soft.prompt_tuning import PromptTuning
from afina.soft.reading import Read
from afina.training.checkpoint import Checkpoints
from afina.training.train import Batches, Lane, TrainSettings, train_together
from afina.training.watch import Watch
from benchmarks.machine import machine
from benchmarks.training_cases import LABELS, Case, model_of
from benchmarks.training_step import row
from benchmarks.training_step_afina import tokenizer_of

TABLE = Path(__file__).with_suffix(".md")
THREADS = 2
TOLERANCE = 1e-4
VIRTUAL = 20
LEARNERS = (5, 15)
WANTED = 1.5
HEADER = ["model", "learners", "rows each", "one by one, ms", "together, ms", "× faster", "steps"]
HEADER += ["losses differ by"]
SHORTEST, LONGEST = 16, 24  # tokens of a row
ENCODER = Case("MiniLM-L6, a head", "prompt", False, 0, 0, VIRTUAL, 0)
DECODER = Case("GPT-2 shape, label words", "prompt", True, 0, 0, VIRTUAL, 0)


@dataclass(frozen=True)
class Part:
    """A part of the table: a model in a precision, and the steps run for each number of rows."""

    case: Case
    precision: str
    steps: Mapping[int, int]

    @property
    def name(self) -> str:
        return f"{self.case.name}, {self.precision}"


PARTS = (
    Part(ENCODER, "float32", {1: 20, 4: 20, 8: 4, 16: 3, 32: 2}),
    Part(DECODER, "float32", {1: 20, 4: 20, 16: 2}),
    Part(ENCODER, "bfloat16", {1: 5, 4: 5, 8: 3}),
    Part(DECODER, "bfloat16", {1: 5, 4: 5}),
)
NOTE = (
    f"Bold: at least {WANTED} × faster. With more rows a step is bound by the matrix products, of "
    "which no learner can spare another. A pass takes 32 rows at most, learners with batches of "
    "like length together. In bfloat16 PyTorch is slow at products of one row with the vocabulary, "
    "which one by one meets each step."
)


@dataclass(frozen=True)
class Clock:
    """The moments of a run's points."""

    points: list[tuple[str, float]] = field(default_factory=list)

    def at(self, point: str) -> None:
        self.points.append((point, time.perf_counter()))

    @property
    def seconds(self) -> float:
        """The shortest step."""
        return min(
            after - before
            for (point, before), (_, after) in pairwise(self.points)
            if point == "before step"
        )


@dataclass(frozen=True)
class Trained:
    """How long a step of a run took, and the loss curve of each learner."""

    seconds: float
    losses: list[Sequence[float]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    lines = ["# Learners in one pass, and one by one", "", row(HEADER), row(["---"] * len(HEADER))]
    for part in PARTS:
        backbone = with_precision(backbone_of_case(part.case), part.precision)
        for learners, rows in product(LEARNERS, part.steps):
            single, joint = both(part, backbone, learners, rows)
            lines.append(line(part, learners, rows, single, joint))
    about = machine(["afina", "torch", "transformers"])
    lines += [
        "",
        NOTE,
        "",
        f"Best step of a run, {THREADS} threads. {about}",
    ]
    options.output.write_text("\n".join([*lines, ""]))


def both(part: Part, backbone: Backbone, learners: int, rows: int) -> tuple[Trained, Trained]:
    """The learners one by one, and together; stop where losses that must be equal are not."""
    alone = [trained([each]) for each in lanes(part, backbone, learners, rows)]
    single = Trained(sum(each.seconds for each in alone), [each.losses[0] for each in alone])
    joint = trained(lanes(part, backbone, learners, rows))
    if part.precision == "float32" and difference(single, joint) > TOLERANCE:
        sys.exit(f"expected equal losses on {part.name}, got {single.losses} and {joint.losses}")
    return single, joint


def trained(some: Sequence[Lane]) -> Trained:
    """Train side by side."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        keeper = Checkpoints(Path(folder), Disk())
        outcomes = train_together(some, in_one_pass, keeper=keeper, watch=Watch(at=clock.at))
    return Trained(clock.seconds, [each.moment.losses for each in outcomes])


def in_one_pass(batches: Batches) -> list[Tensor]:
    return joint_losses([(each, rows) for each, rows in batches if isinstance(each, Learner)])


def difference(one: Trained, other: Trained) -> float:
    """The largest difference between two runs' losses."""
    return max(
        abs(a - b)
        for left, right in zip(one.losses, other.losses, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def line(part: Part, learners: int, rows: int, single: Trained, joint: Trained) -> str:
    gain = single.seconds / joint.seconds
    return row(
        [
            part.name,
            str(learners),
            str(rows),
            f"{1000 * single.seconds:.0f}",
            f"{1000 * joint.seconds:.0f}",
            f"**{gain:.2f}**" if gain >= WANTED else f"{gain:.2f}",
            str(part.steps[rows]),
            f"{difference(single, joint):.1g}",
        ]
    )


def backbone_of_case(case: Case) -> Backbone:
    """The frozen model; the classifier's trunk alone, as a head of ours answers."""
    model, tokenizer = model_of(case), tokenizer_of(case)
    if case.decoder:
        return backbone_of(freeze(case.name, model, tokenizer, kind="decoder"))
    trunk = model.base_model
    return backbone_of(freeze(case.name, trunk, tokenizer, kind="encoder", writes=False))


def lanes(part: Part, backbone: Backbone, learners: int, rows: int) -> list[Lane]:
    """Learners that begin at other vectors and take other batches of the same rows."""
    settings = TrainSettings(epochs=1, batch=rows, checks=1)
    data = reads(rows * part.steps[rows])
    return [
        Lane(learner(part.case, backbone, seed), data, lambda: 0.0, replace(settings, seed=seed))
        for seed in range(learners)
    ]


def learner(case: Case, backbone: Backbone, seed: int) -> Learner:
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(1000, 30000, (case.virtual,), generator=generator)
    vectors = backbone.frozen.embed(words).detach()
    prompt = PromptTuning(vectors, scale=float(vectors.square().mean().sqrt()))
    return Learner(backbone, prompt, answer(case, generator), rates=(0.3, 0.005))


def answer(case: Case, generator: torch.Generator) -> nn.Module:
    """A head; of a decoder, a word for each label."""
    labels = tuple(str(label) for label in range(LABELS))
    if case.decoder:
        return LabelWords(labels, [[1000], [2000]])
    weight = torch.randn(LABELS, 384, generator=generator) * 0.02
    return HeadAnswer(ClassificationHead(weight, torch.zeros(LABELS)), labels)


def reads(count: int) -> list[Read]:
    """Rows of random words."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (count,), generator=generator).tolist()
    return [
        Read(torch.randint(1000, 30000, (length,), generator=generator).tolist(), label=at % LABELS)
        for at, length in enumerate(lengths)
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
