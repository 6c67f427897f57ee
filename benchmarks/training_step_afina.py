"""Afina's side of the training-step benchmark: its own learner on the same model and batch.

The decoder's loss equals PEFT's. The classifier's cannot: PEFT's pooler reads the first virtual
token in the place of [CLS], ours means over the text; the work is the same number of positions
through the same layers.
"""

from collections.abc import Callable

import torch
from tokenizers import Tokenizer, models
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze
from afina.soft.answer import HeadAnswer, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.learner import Learner
from afina.soft.prompt_tuning import PromptTuning
from afina.soft.reading import Read
from benchmarks.training_cases import (
    LABELS,
    LEARNING_RATE,
    MINILM,
    Case,
    batch_of,
    model_of,
    prompt_of,
)


def afina_step(case: Case) -> Callable[[], float]:
    """A function that trains one step (forward, backward, AdamW) and returns its loss."""
    model = model_of(case)
    prompt = PromptTuning(prompt_of(case, model), scale=1.0)
    learner = Learner(backbone(case, model), prompt, answer(case), rates=(LEARNING_RATE,) * 2)
    groups = [{"params": group.parameters, "lr": group.learning_rate} for group in learner.groups()]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    rows = reads(case)

    def step() -> float:
        optimizer.zero_grad()
        loss = learner.loss(rows)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def backbone(case: Case, model: nn.Module) -> Backbone:
    """The case's model, frozen; the classifier's trunk alone where a head of ours answers."""
    if case.decoder:
        return backbone_of(freeze(case.name, model, tokenizer_of(case), kind="decoder"))
    trunk = model.base_model
    return backbone_of(freeze(case.name, trunk, tokenizer_of(case), kind="encoder", writes=False))


def tokenizer_of(case: Case) -> PreTrainedTokenizerBase:
    """The classifier's own, or one that puts nothing around a text; the ids come ready made."""
    if not case.decoder:
        return AutoTokenizer.from_pretrained(MINILM)
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")))


def answer(case: Case) -> nn.Module:
    if case.decoder:
        return Writing(case.tokens)
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(LABELS, 384, generator=generator) * 0.02
    labels = tuple(str(label) for label in range(LABELS))
    return HeadAnswer(ClassificationHead(weight, torch.zeros(LABELS)), labels)


def reads(case: Case) -> list[Read]:
    """The batch's rows; a decoder's are cut where the labels begin, an encoder's make room for the
    two special tokens, so that both sides run the same number of places."""
    batch = batch_of(case)
    ids = batch.ids.tolist()
    if not case.decoder:
        return [
            Read(row[:-2], label=int(label)) for row, label in zip(ids, batch.labels, strict=True)
        ]
    cut = case.tokens - case.labelled
    return [Read(row[:cut], target=row[cut:]) for row in ids]
