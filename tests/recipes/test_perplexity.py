"""Bits a byte: the formula on a model that knows nothing, and no effect of padding."""

import math
from dataclasses import replace

import pytest
import torch

from recipes.perplexity import bits_per_byte
from tests.tiny import VOCABULARY, shared, tiny

TEXT = "it was a good film and the plot is great"


def test_a_model_that_knows_nothing_needs_the_logarithm_of_its_vocabulary() -> None:
    frozen = tiny("llama").frozen
    with torch.no_grad():
        frozen.model.lm_head.weight.zero_()
    bits = bits_per_byte(frozen, [TEXT], 64)
    assert bits == pytest.approx(10 * math.log2(len(VOCABULARY)) / len(TEXT), abs=1e-5)


def test_windows_padded_together_cost_what_each_costs_alone() -> None:
    frozen = replace(shared("llama").frozen)
    words = TEXT.split()
    parts = [" ".join(words[:4]), " ".join(words[4:8]), " ".join(words[8:])]
    whole = bits_per_byte(frozen, [TEXT], 5) * len(TEXT)
    apart = sum(bits_per_byte(frozen, [part], 64) * len(part) for part in parts)
    assert whole == pytest.approx(apart, abs=1e-3)
