"""Every few-shot selector on banking77 with a small local decoder.

    python -m benchmarks few_shot                    the table, benchmarks/few_shot.md
    python -m benchmarks.few_shot --quick            a few rows, to see that it works
    python -m benchmarks.few_shot --model FOLDER     another decoder

Ten of the 77 intents are drawn by each seed, so a guess is right one time in ten; the pool is their
rows of train, the questions are rows of theirs of dev.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from string import ascii_uppercase

from afina.evaluation.statistics import interval
from afina.hard.demonstrations import SELECTORS
from afina.hard.prompt import Prompt, user_template
from afina.hard.prompt_solver import PromptSolver
from afina.hard.selection import FewShotSettings, Selection
from afina.hard.template import Template
from afina.lm.lm import LM, ask
from afina.lm.reply import Reply
from afina.models import load_embedding, load_lm
from afina.retrieval.embedding import Embedding
from afina.solver import Value
from afina.task.example import Example
from afina.task.metrics import METRICS, mean_of
from afina.task.signature import Choice, Signature
from afina.task.task import Task, load_task
from benchmarks.machine import machine

HERE = Path(__file__).parent
TABLE = HERE / "few_shot.md"
INTENTS = 10
LONGEST = 120  # characters of a text
VECTORS = "builtin:minilm"
EMPTY = "N/A"  # a text without content
NOTE = (
    "Rows of dev of all seeds, each of which draws its own 10 intents, so a guess gives 0.10; "
    "texts of at most 120 characters, for the model's places. The prompt is the instruction "
    "and the examples; each intent is a letter, A to J, as decoders score names by their "
    "length. Calibrated: each letter's probability is divided by the one it has, behind the "
    "same examples, for a text that says nothing (Zhao et al. 2021, "
    "https://arxiv.org/abs/2102.09690). The last column is the right letter's calibrated "
    "probability, less that of zero-shot on the same row. Intervals are of 95 %. `nearest "
    "example` asks no model: it says the label of the example that `nearest` shows last."
)


@dataclass(frozen=True)
class Sizes:
    """How much is asked."""

    seeds: int = 3
    rows: int = 67  # a seed
    shots: int = 4


@dataclass(frozen=True)
class Drawn:
    """A seed's intents: the pool and the questions."""

    signature: Signature
    pool: tuple[Example, ...]
    questions: tuple[Example, ...]
    seed: int

    @property
    def words(self) -> dict[str, str]:
        """The letter of each intent."""
        target = self.signature.target.type
        assert isinstance(target, Choice)
        return dict(zip(target.labels, ascii_uppercase, strict=False))

    def wanted(self, example: Example) -> str:
        return str(example.outputs[self.signature.target.name])


@dataclass(frozen=True)
class Told:
    """What was said to a row: right as scored and calibrated, the right one's probability."""

    plain: float
    calibrated: float
    probability: float


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", default="builtin:tiny-decoder")
    parser.add_argument("--shots", type=int, default=Sizes.shots)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    sizes = Sizes(1, 5, options.shots) if options.quick else Sizes(shots=options.shots)
    task, embedding = load_task(HERE / "tasks" / "banking77"), load_embedding(VECTORS)
    draws = [drawn(task, seed, sizes) for seed in range(sizes.seeds)]
    lines = ["# Few-shot selectors on banking77", "", NOTE, ""]
    lines += table(load_lm(options.model), options.model, sizes, draws, embedding)
    lines += ["", machine(["afina", "torch", "transformers"])]
    print("\n".join(lines))
    if not options.quick:
        options.output.write_text("\n".join(lines) + "\n")


def drawn(task: Task, seed: int, sizes: Sizes) -> Drawn:
    """Ten intents, and rows of them."""
    target, chance = task.signature.target, Random(seed)
    assert isinstance(target.type, Choice)
    labels = tuple(sorted(chance.sample(target.type.labels, INTENTS)))

    def of(examples: Sequence[Example]) -> list[Example]:
        return [
            each
            for each in examples
            if each.outputs[target.name] in labels and len(str(each.inputs["text"])) <= LONGEST
        ]

    signature = replace(task.signature, outputs=(replace(target, type=Choice(labels)),))
    questions = chance.sample(of(task.dev), sizes.rows)
    return Drawn(signature, tuple(of(task.train)), tuple(questions), seed)


def table(
    lm: LM, model: str, sizes: Sizes, draws: Sequence[Drawn], embedding: Embedding
) -> Iterator[str]:
    """A line a selector."""
    clock, found = time.perf_counter(), dict[str, list[Told]]()
    found["zero-shot"] = [told for draw in draws for told in asked(draw, lm, None)]
    for name in SELECTORS:
        found[name] = [
            told
            for draw in draws
            for told in asked(draw, lm, chosen(draw, name, sizes.shots, embedding))
        ]
    seconds = time.perf_counter() - clock
    yield (
        f"{'/'.join(Path(model).parts[-2:])}, {sizes.shots} examples, "
        f"{len(found['zero-shot'])} rows, {sizes.seeds} seeds, {seconds:.0f} s."
    )
    yield ""
    yield "| examples | accuracy | calibrated | right letter's probability, less zero-shot's |"
    yield "| --- | --- | --- | --- |"
    for name, each in found.items():
        pairs = zip(each, found["zero-shot"], strict=True)
        gains = [told.probability - zero.probability for told, zero in pairs]
        plain, calibrated = [told.plain for told in each], [told.calibrated for told in each]
        gain = "–" if name == "zero-shot" else shown(gains, "+.4f")
        yield f"| {name} | {shown(plain)} | {shown(calibrated)} | {gain} |"
    copies = [copied for draw in draws for copied in copies_of(draw, embedding)]
    yield f"| nearest example | {shown(copies)} | – | – |"


def chosen(draw: Drawn, name: str, shots: int, embedding: Embedding) -> Selection:
    settings = FewShotSettings(shots, name, VECTORS)
    return Selection.of(
        draw.signature, draw.pool, settings, seed=draw.seed, load=lambda _: embedding
    )


def asked(draw: Drawn, lm: LM, selection: Selection | None) -> list[Told]:
    """A decoder's letters for a seed's questions, and for nothing behind the same examples."""
    prompt = Prompt(draw.signature, Template("{{ instruction }}"), user_template(draw.signature))
    solver = PromptSolver(prompt, lm, "", draw.words, selection=selection)
    rows = [example.inputs for example in draw.questions]
    pairs = list(zip(solver.prompts(rows), rows, strict=True))
    real = ask(lm, [solver.request(worded, row) for worded, row in pairs])
    nothing = ask(lm, [solver.request(worded, {"text": EMPTY}) for worded, _ in pairs])
    letters = [draw.words[draw.wanted(example)] for example in draw.questions]
    return [told(*each) for each in zip(letters, real, nothing, strict=True)]


def told(letter: str, reply: object, nothing: object) -> Told:
    """Whether the right letter wins, before and after calibration."""
    assert isinstance(reply, Reply), reply
    assert isinstance(nothing, Reply), nothing
    ratios = {each: reply.scores[each] / nothing.scores[each] for each in reply.scores}
    best = max(ratios, key=ratios.__getitem__)
    share = ratios[letter] / sum(ratios.values())
    return Told(float(reply.text == letter), float(best == letter), share)


def copies_of(draw: Drawn, embedding: Embedding) -> list[float]:
    """Whether the nearest example has a question's label."""
    rows = [example.inputs for example in draw.questions]
    nearest = chosen(draw, "nearest", 1, embedding)(rows)
    return [
        METRICS["accuracy"].score([draw.wanted(near)], [draw.wanted(example)])
        for (near,), example in zip(nearest, draw.questions, strict=True)
    ]


def shown(numbers: Sequence[float], form: str = ".3f") -> str:
    """The mean of numbers with its interval."""
    values: list[Value] = list(numbers)
    low, high = interval(mean_of(itself), values, values)
    mean = sum(numbers) / len(numbers)
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def itself(number: Value, _wanted: Value) -> float:
    assert isinstance(number, float)
    return number


if __name__ == "__main__":
    main(sys.argv[1:])
