"""Questions with one long beginning: a local model's time with it, without it, and anew each time.

    python -m benchmarks local_calls              the table, benchmarks/local_calls.md
    python -m benchmarks.local_calls --quick      a few questions, to see that it works

The beginning is 1,000 tokens, a question 16 and an answer 16; the answers must be equal.
"""

import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze
from afina.backbones.local_lm import LocalLM
from afina.lm.lm import ask
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from benchmarks.machine import machine

TABLE = Path(__file__).parent / "local_calls.md"
PACKAGES = ("afina", "torch", "transformers")
WORDS = 8000
NEW = 16
NOTE = (
    "GPT-2 shape, 8,000 words, random weights, float32; 200 questions of 16 tokens. Behind a "
    "beginning: the calls after the first, which has read it. From scratch: transformers' "
    "`generate`, one request after the other, as many as the table says, its time taken to stand "
    "for all. Best of the rounds, in turn. A token behind 1,000 others costs 4,000 d "
    "multiplications and additions a layer in attention, beside 24 d² elsewhere, so a wider model "
    "pays less for the beginning."
)
SHAPES = ((6, 384), (12, 768))  # layers, width


@dataclass(frozen=True)
class Sizes:
    """How much is asked."""

    questions: int = 200
    beginning: int = 1000  # tokens
    from_scratch: int = 6  # questions that are also answered from scratch
    rounds: int = 2


QUICK = Sizes(questions=8, beginning=100, from_scratch=2, rounds=1)


def make_model(shape: tuple[int, int], places: int) -> Backbone:
    """A random decoder with a word a token; no token ends a text."""
    torch.manual_seed(0)
    layers, width = shape
    config = GPT2Config(
        n_layer=layers,
        n_embd=width,
        n_head=width // 64,
        n_positions=places,
        vocab_size=WORDS,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    inner = Tokenizer(models.WordLevel({f"w{at}": at for at in range(WORDS)}, unk_token="w0"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner)
    model = GPT2LMHeadModel(config).eval()
    frozen = freeze("GPT-2 shape", model, tokenizer, kind="decoder")
    return backbone_of(frozen)


def words(chance: random.Random, count: int) -> str:
    return " ".join(f"w{chance.randrange(1, WORDS)}" for _ in range(count))


def requests(sizes: Sizes, *, beginning: bool) -> list[Request]:
    chance = random.Random(0)
    opening = Message("system", words(chance, sizes.beginning))
    questions = [Message("user", words(chance, 16)) for _ in range(sizes.questions)]
    return [
        Request((opening, each) if beginning else (each,), max_tokens=NEW) for each in questions
    ]


def from_scratch(backbone: Backbone, request: Request) -> str:
    """What transformers writes."""
    frozen = backbone.frozen
    ids = torch.tensor([frozen.encode(" ".join(each.content for each in request.messages))])
    written = frozen.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False
    )[0, ids.shape[1] :]
    return frozen.decode(written.tolist())


def timed(lm: LocalLM, asked: list[Request]) -> tuple[float, list[str]]:
    start = time.perf_counter()
    found = ask(lm, asked)
    seconds = time.perf_counter() - start
    return seconds, [each.text for each in found if isinstance(each, Reply)]


def measured(shape: tuple[int, int], sizes: Sizes) -> list[str]:
    """The lines of one shape.

    Raises:
        AssertionError: the answers differ.
    """
    lm = LocalLM(make_model(shape, sizes.beginning + 64))
    behind, plain = requests(sizes, beginning=True), requests(sizes, beginning=False)
    timed(lm, behind[:2])
    best = dict.fromkeys(("without", "behind", "scratch"), float("inf"))
    for _ in range(sizes.rounds):
        best["without"] = min(best["without"], timed(lm, plain)[0])
        seconds, said = timed(lm, behind)
        best["behind"] = min(best["behind"], seconds)
        start = time.perf_counter()
        anew = [from_scratch(lm.backbone, each) for each in behind[: sizes.from_scratch]]
        share = (time.perf_counter() - start) / sizes.from_scratch
        best["scratch"] = min(best["scratch"], share * sizes.questions)
        assert said[: sizes.from_scratch] == anew, "the answers are not equal"
    names = {
        "without": "Afina, without a beginning",
        "behind": f"Afina, behind {sizes.beginning:,} tokens",
        "scratch": f"transformers, each from scratch ({sizes.from_scratch} measured)",
    }
    layers, width = shape
    return [
        f"| {layers} layers, d={width} | {name} | {best[key]:.2f} | "
        f"{best[key] / best['without']:.2f} | {best['scratch'] / best[key]:.1f} |"
        for key, name in names.items()
    ]


def main(arguments: list[str]) -> None:
    """Time all and write the table."""
    sizes = QUICK if "--quick" in arguments else Sizes()
    lines = [
        "| shape | | seconds | × without | × less than from scratch |",
        "| --- | --- | --- | --- | --- |",
        *(line for shape in SHAPES for line in measured(shape, sizes)),
    ]
    told = f"{torch.get_num_threads()} threads. {machine(PACKAGES)}"
    text = "\n\n".join(["# Calls of a local model", "\n".join(lines), NOTE, told]) + "\n"
    if "--quick" in arguments:
        print(text)
    else:
        TABLE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
