"""PEFT's model of a cell of the grid: wrapped, trained, answering and writing.

Helped (see NOTE in grid_peft.py), it is told the head's modules and the model's shape, and gets
labels that fit its longer sequences; else it is called as its documentation does.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft import (
    MultitaskPromptTuningConfig,
    PeftModel,
    PeftType,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptLearningConfig,
    PromptTuningConfig,
    TaskType,
    get_peft_model,
)
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from benchmarks.grid_cell import FaultError
from benchmarks.grid_models import HEADS, METHODS, WRITTEN, config_of, model_of
from benchmarks.grid_rows import IGNORED, ROWS, Batch, batch_of

VIRTUAL = 4
NETWORK = 32  # width of a reparametrisation
STEPS = 3
LEARNING_RATE = 0.01
NEW = 6  # generated tokens

TASK_TYPES = {
    "sequence classification": TaskType.SEQ_CLS,
    "token classification": TaskType.TOKEN_CLS,
    "question answering": TaskType.QUESTION_ANS,
    "causal LM": TaskType.CAUSAL_LM,
    "seq2seq LM": TaskType.SEQ_2_SEQ_LM,
    "feature extraction": TaskType.FEATURE_EXTRACTION,
}
# PEFT trains `classifier`, `score` and `qa_outputs` by itself; these it has to be told. A name
# counts as a suffix: `head` alone would take P-tuning's own `mlp_head`, too.
MORE_HEADS = [
    f"base_model.{name}" for name in ("pooler", "head", "classification_head", "classifier")
]


@dataclass(frozen=True)
class Case:
    """What a cell is about, and whether PEFT is helped where its user could."""

    family: str
    task: str
    method: str
    helped: bool


def wrapped(case: Case, base: PreTrainedModel | None = None) -> PeftModel:
    """The case's model under a prompt of its method, always with the same start."""
    base = base or model_of(case.family, case.task)
    torch.manual_seed(1)
    return get_peft_model(base, settings_of(case)).eval()


def settings_of(case: Case) -> PromptLearningConfig:
    """The method's config, as PEFT's documentation sets it up."""
    # one dict for four classes, whose arguments are of many types
    settings: dict[str, Any] = {
        "task_type": TASK_TYPES[case.task],
        "num_virtual_tokens": VIRTUAL,
    }
    if case.helped:
        config = config_of(case.family)
        settings["token_dim"] = config.hidden_size
        settings["num_attention_heads"] = config.num_attention_heads
        settings["modules_to_save"] = MORE_HEADS[:] if heads(case) else None
    network: dict[str, Any] = {"encoder_hidden_size": NETWORK}
    match case.method:
        case "prompt tuning":
            return PromptTuningConfig(**settings)
        case "prefix":
            return PrefixTuningConfig(**settings)
        case "prefix with MLP":
            return PrefixTuningConfig(**settings, **network, prefix_projection=True)
        case "P-tuning MLP":
            return PromptEncoderConfig(**settings, **network, encoder_reparameterization_type="MLP")
        case "P-tuning LSTM":
            return PromptEncoderConfig(
                **settings, **network, encoder_reparameterization_type="LSTM"
            )
        case "multitask":
            return MultitaskPromptTuningConfig(**settings, num_tasks=2)
    raise ValueError(f"expected a method out of {', '.join(METHODS)}, got {case.method!r}")


def heads(case: Case) -> list[str]:
    """The modules of the family's head for the task."""
    if case.task in WRITTEN or case.task == "feature extraction":
        return []
    model = model_of(case.family, case.task)
    return [name for name, _ in model.named_children() if name in HEADS]


def trained_head(model: PeftModel, name: str) -> bool:
    """Whether the head's module ``name`` got gradients."""
    parts = list(model.get_base_model().get_submodule(name).parameters())
    return any(part.grad is not None and bool(part.grad.any()) for part in parts)


def optimizer_of(model: PeftModel) -> torch.optim.AdamW:
    learned = [value for value in model.parameters() if value.requires_grad]
    return torch.optim.AdamW(learned, lr=LEARNING_RATE)


def train(model: PeftModel, case: Case, optimizer: torch.optim.Optimizer) -> list[float]:
    """A few steps on the rows, in training mode; the losses."""
    model.train()
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, case)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    model.eval()
    return losses


def gradients(model: PeftModel, case: Case) -> dict[str, Tensor]:
    """Each learned weight's gradient of one pass; zeros where none comes."""
    model.train()
    model.zero_grad()
    loss_of(model, case).backward()
    return {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in model.named_parameters()
        if value.requires_grad
    }


def loss_of(model: PeftModel, case: Case) -> Tensor:
    """The loss of the rows: the model's own, or for features the distance to drawn ones."""
    batch = batch_of(case.family, case.task, ROWS)
    if case.task != "feature extraction":
        loss: Tensor = call(model, batch, fitted(case, batch)).loss
        return loss
    features = torch.stack([found.mean(0) for found in split(model, case, batch)])
    drawn = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
    return nn.functional.mse_loss(features, drawn)


def fitted(case: Case, batch: Batch) -> dict[str, Tensor]:
    """The labels of a batch; with help, fitted to the places that PEFT puts before the text."""
    if not case.helped or case.method.startswith("prefix"):
        return batch.labels
    if case.task == "token classification":
        tags = batch.labels["labels"]
        return {"labels": torch.cat([torch.full((len(tags), VIRTUAL), IGNORED), tags], dim=1)}
    if case.task == "question answering":
        return {name: places + VIRTUAL for name, places in batch.labels.items()}
    return batch.labels


@torch.no_grad()
def answers(model: nn.Module, case: Case, batch: Batch) -> list[Tensor]:
    """What each row is answered: scores ``[C]``, or a line of them for each of its places."""
    return split(model, case, batch)


def split(model: nn.Module, case: Case, batch: Batch) -> list[Tensor]:
    """The model's output by rows, without virtual tokens and padding."""
    output = call(model, batch, batch.labels if case.task == "seq2seq LM" else {})
    if case.task == "question answering":
        scores = torch.stack([output.start_logits, output.end_logits], dim=-1)
    elif case.task == "feature extraction":
        scores = output.last_hidden_state
    else:
        scores = output.logits
    if case.task == "sequence classification":
        return list(scores)
    if case.task == "seq2seq LM":
        return list(scores[:, -batch.labels["labels"].shape[1] :])
    mask = batch.inputs["attention_mask"].bool()
    text = scores[:, -mask.shape[1] :]
    return [row[real] for row, real in zip(text, mask, strict=True)]


def call(model: nn.Module, batch: Batch, labels: dict[str, Tensor]) -> ModelOutput:
    """One forward pass."""
    output: ModelOutput = model(**inputs_of(model, batch), **labels)
    return output


def inputs_of(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The batch's inputs, with each row's task where the method mixes tasks."""
    if isinstance(model, PeftModel) and model.peft_type == PeftType.MULTITASK_PROMPT_TUNING:
        return batch.inputs | {"task_ids": batch.mixed}
    return batch.inputs


def written(
    model: PeftModel, batch: Batch, *, cached: bool, beams: int = 1
) -> tuple[Tensor, Tensor]:
    """The tokens that generate writes ``[1, NEW]``, and the logits it chose by ``[1, NEW, V]``."""
    found = model.generate(  # type: ignore[no-untyped-call]  # PEFT annotates it not at all
        **inputs_of(model, batch),
        do_sample=False,
        num_beams=beams,
        use_cache=cached,
        min_new_tokens=NEW,
        max_new_tokens=NEW,
        return_dict_in_generate=True,
        output_logits=True,
    )
    if len(found.logits) != NEW:
        raise FaultError("generate writes fewer tokens than asked for")
    return found.sequences[:, -NEW:], torch.stack(found.logits, dim=1)


@torch.no_grad()
def scored(model: PeftModel, case: Case, batch: Batch, tokens: Tensor) -> Tensor:
    """The logits by which one forward pass over text and tokens would write these tokens."""
    if case.task == "seq2seq LM":
        logits: Tensor = call(model, batch, {"labels": tokens}).logits
        return logits[:, -NEW:]
    ids = torch.cat([batch.inputs["input_ids"], tokens], dim=1)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    whole = Batch(inputs, {}, batch.mixed)
    logits = call(model, whole, {}).logits
    return logits[:, -NEW - 1 : -1]
