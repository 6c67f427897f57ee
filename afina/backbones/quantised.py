"""Frozen weights in eight or four bits, by bitsandbytes where it is installed."""

import logging
from importlib.util import find_spec

import torch
from transformers import BitsAndBytesConfig

from afina.errors import ModelError

WAYS = ("8bit", "4bit")


def named(name: str, quantise: str | None) -> str:
    """A model's name with its way of quantising behind it, so that the name tells the weights.

    >>> named("owner/name", "4bit"), named("owner/name", None)
    ('owner/name:4bit', 'owner/name')

    Raises:
        ModelError: there is no such way.
    """
    if quantise is None:
        return name
    if quantise not in WAYS:
        raise ModelError(f"expected to quantise by {' or '.join(WAYS)}, got {quantise!r}")
    return f"{name}:{quantise}"


def parted(name: str) -> tuple[str, str | None]:
    """A model's name, and its way of quantising if it has one.

    >>> parted("hf:owner/name:8bit"), parted("builtin:minilm")
    (('hf:owner/name', '8bit'), ('builtin:minilm', None))
    """
    before, colon, last = name.rpartition(":")
    return (before, last) if colon and last in WAYS else (name, None)


def recipe(way: str, computing: torch.dtype) -> BitsAndBytesConfig:
    """What transformers is told: four bits are normal floats, products in ``computing``.

    Raises:
        ModelError: bitsandbytes or accelerate is not installed.
    """
    for package in ("bitsandbytes", "accelerate"):
        if find_spec(package) is None:
            raise ModelError(
                f"a model in {way} needs {package}, which is not installed: "
                "run pip install bitsandbytes accelerate, or load the model as it is"
            )
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells of every product's type
    if way == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=computing
    )


def let_gradients_through(model: torch.nn.Module) -> None:
    """Switch off the packing of four-bit weights for inference on a CPU.

    Bitsandbytes packs a layer for good when it first computes without gradients, and none goes
    through the product after that, with a warning at best.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  not in its type
