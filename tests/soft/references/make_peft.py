"""Writes peft.json: what PEFT 0.21.2 saves and says; python -m tests.soft.references.make_peft."""

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tests.backbones.test_identities import TEXTS
from tests.soft.references.peft_beside import (
    CASES,
    STORED,
    TASK,
    TYPES,
    config_for,
    fill,
    formula_backbone,
    formula_model,
    theirs,
    wrapped,
)

KEPT = 6  # numbers a place


def made(family: str, method: str) -> dict[str, Any]:
    """A config, the shapes beside it, and the first of PEFT's numbers for right-padded texts."""
    import peft

    model = wrapped(formula_model(family), family)
    model = peft.get_peft_model(model, config_for(method, TYPES[family])).eval()
    (encoder,) = model.prompt_encoder.values()
    fill([weight for _, weight in sorted(encoder.named_parameters())], 0.6)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((Path(folder) / "adapter_config.json").read_text())
        saved = load_file(Path(folder) / "adapter_model.safetensors")
    tasks = {"task_ids": torch.tensor([TASK] * len(TEXTS))} if method == "multitask" else {}
    said = theirs(model, formula_backbone(family), TEXTS, **tasks)
    return {
        "config": config,
        "shapes": {name: list(saved[name].shape) for name in sorted(saved)},
        "said": [round(number, 6) for number in said[..., :KEPT].flatten().tolist()],
    }


def main() -> None:
    """Make all cases anew."""
    warnings.simplefilter("ignore")
    found = {name: made(*case) for name, case in CASES.items()}
    STORED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
