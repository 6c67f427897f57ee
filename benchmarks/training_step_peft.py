"""PEFT's side of the training-step benchmark: its methods as its documentation sets them up."""

from collections.abc import Callable

import torch
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from benchmarks.training_cases import (
    LEARNING_RATE,
    Case,
    batch_of,
    model_of,
    prefix_of,
    prompt_of,
)


def peft_model(case: Case) -> PeftModel:
    """PEFT's wrapping of the case's model, with the case's start copied in."""
    model = model_of(case)
    start = start_of(case, model)
    task = TaskType.CAUSAL_LM if case.decoder else TaskType.SEQ_CLS
    kind = PrefixTuningConfig if case.method == "prefix" else PromptTuningConfig
    wrapped = get_peft_model(model, kind(task_type=task, num_virtual_tokens=case.virtual))
    with torch.no_grad():
        wrapped.get_parameter("prompt_encoder.default.embedding.weight").copy_(start)
    return wrapped


def start_of(case: Case, model: PreTrainedModel) -> Tensor:
    """What PEFT holds: ``[P, H]``, or a prefix as ``[P, S*2*K*D]``."""
    if case.method == "prompt":
        return prompt_of(case, model)
    return prefix_of(case, model).permute(3, 1, 0, 2, 4).flatten(1)


def peft_step(case: Case) -> Callable[[], float]:
    """A function that trains one step (forward, backward, AdamW) and returns its loss."""
    model = peft_model(case)
    batch = batch_of(case)
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=LEARNING_RATE, weight_decay=0.0)

    def step() -> float:
        optimizer.zero_grad()
        loss = model(input_ids=batch.ids, attention_mask=batch.mask, labels=batch.labels).loss
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step
