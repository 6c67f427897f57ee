"""Afina's side of the training-step benchmark: its own learner on the same model and batch.

The losses equal PEFT's but for prompt tuning of the classifier: there PEFT's pooler reads the first
virtual token in the place of [CLS], and ours means over the text. The work is the same number of
positions through the same layers.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze
from afina.backbones.injection import Injections, KeyValues
from afina.soft.answer import Answered, HeadAnswer, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.learner import Learner
from afina.soft.prefix_tuning import FreeChange, PrefixTuning
from afina.soft.prompt_tuning import PromptTuning
from afina.soft.reading import Read
from benchmarks.training_cases import (
    LABELS,
    LEARNING_RATE,
    MINILM,
    Case,
    batch_of,
    model_of,
    prefix_of,
    prompt_of,
)


def afina_step(case: Case, *, upper: bool = False) -> Callable[[], float]:
    """A function that trains one step (forward, backward, AdamW) and returns its loss.

    Where ``upper``, a prefix stands in the upper half of the layers only.
    """
    model = model_of(case)
    learner = Learner(
        backbone(case, model),
        prompt(case, model, upper=upper),
        answer(case, model),
        rates=(LEARNING_RATE,) * 2,
    )
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


def backbone(case: Case, model: PreTrainedModel) -> Backbone:
    """The case's model, frozen; the classifier's trunk alone."""
    if case.decoder:
        return backbone_of(freeze(case.name, model, tokenizer_of(case), kind="decoder"))
    trunk = model.base_model
    return backbone_of(freeze(case.name, trunk, tokenizer_of(case), kind="encoder", writes=False))


def tokenizer_of(case: Case) -> PreTrainedTokenizerBase:
    """The classifier's own for our head, else one that puts nothing around a text.

    The ids come ready made.
    """
    if headed(case):
        return AutoTokenizer.from_pretrained(MINILM)
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")))


def headed(case: Case) -> bool:
    """Whether a head of ours answers: where PEFT's pooler reads what ours would not."""
    return not case.decoder and case.method == "prompt"


def prompt(case: Case, model: PreTrainedModel, *, upper: bool) -> nn.Module:
    """The case's method at its start; positions go on behind a prefix, as PEFT has them."""
    if case.method == "prompt":
        return PromptTuning(prompt_of(case, model), scale=1.0)
    start = prefix_of(case, model)
    layers = start.shape[1]
    sites = tuple(range(layers // 2, layers)) if upper else tuple(range(layers))
    keys, values = start[:, list(sites)]
    sizes = torch.ones(2, len(sites))
    where = None if len(sites) == layers else sites
    begin = KeyValues(keys, values, sites=where, start=case.virtual)
    return PrefixTuning(begin, sizes, FreeChange(tuple(keys.shape)))


class Pooled(nn.Module):
    """The classifier's own pooler and classifier on the first token, as PEFT trains them."""

    def __init__(self, pooler: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.pooler = pooler
        self.classifier = classifier.requires_grad_(True)

    def gather(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """Last states ``[B, T, H]``."""
        return backbone.states([row.tokens for row in rows], injections)

    def loss(self, gathered: Tensor, rows: Sequence[Read]) -> Tensor:
        wanted = torch.tensor([row.label for row in rows])
        return F.cross_entropy(self.classifier(self.pooler(gathered)), wanted)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        raise AssertionError("the benchmark only trains")


def answer(case: Case, model: PreTrainedModel) -> nn.Module:
    if case.decoder:
        return Writing(case.tokens)
    if not headed(case):
        return Pooled(model.bert.pooler, model.classifier)
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(LABELS, 384, generator=generator) * 0.02
    labels = tuple(str(label) for label in range(LABELS))
    return HeadAnswer(ClassificationHead(weight, torch.zeros(LABELS)), labels)


def reads(case: Case) -> list[Read]:
    """The batch's rows; a decoder's are cut where the labels begin.

    Those of our head make room for the two special tokens, so that both sides run the same number
    of places.
    """
    batch = batch_of(case)
    ids = batch.ids.tolist()
    if not case.decoder:
        width = case.tokens - 2 if headed(case) else case.tokens
        return [
            Read(row[:width], label=int(label))
            for row, label in zip(ids, batch.labels, strict=True)
        ]
    cut = case.tokens - case.labelled
    return [Read(row[:cut], target=row[cut:]) for row in ids]
