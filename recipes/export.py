"""From a run to the package: ``python -m recipes.export decoder`` writes builtin:tiny-decoder."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from afina.backbones.builtin.folder import ABOUT, HOME, WEIGHTS
from afina.disk import Disk
from afina.training.checkpoint import Checkpoint, Checkpoints
from recipes.portion import SIZES
from recipes.prepare import DATA
from recipes.pretrain import MODELS, RUNS
from recipes.vocabulary import tokenizer_of

LARGEST = 16 * 2**20  # bytes of a file in the repository


def export(found: Checkpoint, tokenizer: Tokenizer, folder: Path) -> dict[str, object]:
    """Write weights in float16, config, tokenizer, and how they came to be.

    float16 keeps three bits more of a weight than bfloat16, and no weight is near its limits.
    """
    kind = found.facts["plan"]["model"]
    model = rebuilt(found).half()
    assert all(weight.isfinite().all() for weight in model.parameters())
    model.save_pretrained(folder)
    tokenizer_of(kind, tokenizer).save_pretrained(folder)
    weights = (folder / WEIGHTS).read_bytes()
    assert len(weights) <= LARGEST, f"{len(weights)} bytes: choose a smaller size"
    about: dict[str, object] = {
        "sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        **{name: found.facts[name] for name in ("plan", "step", "seconds")},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
    return about


def rebuilt(found: Checkpoint) -> Any:
    """The model of a checkpoint."""
    plan = found.facts["plan"]
    model = MODELS[plan["model"]][0](SIZES[plan["size"]])
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(found.tensors[f"weight:{name}"])
    return model.eval()


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("--run", help="the run's folder under recipes/.runs")
    parser.add_argument("--to", type=Path, help="another folder than the package's")
    told = parser.parse_args()
    run = RUNS / (told.run or f"{told.model}-middle-0")
    found = Checkpoints(run, Disk()).load()
    if found is None:
        raise SystemExit(f"{run} holds no checkpoint; train with python -m recipes.pretrain")
    tokenizer = Tokenizer.from_file(str(DATA / "tokenizer.json"))
    folder = told.to or HOME / f"tiny-{told.model}"
    print(json.dumps(export(found, tokenizer, folder)))


if __name__ == "__main__":
    main()
