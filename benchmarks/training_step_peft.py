"""PEFT's side of the training-step benchmark: prompt tuning as its documentation sets it up."""

from collections.abc import Callable

import torch
from peft import PeftModel, PromptTuningConfig, TaskType, get_peft_model
from torch import Tensor

from benchmarks.training_cases import LEARNING_RATE, Case, batch_of, model_of, prompt_of


def peft_model(case: Case) -> PeftModel:
    """PEFT's wrapping of the case's model, with the case's starting prompt copied in."""
    model = model_of(case)
    start = prompt_of(case, model)
    task = TaskType.CAUSAL_LM if case.decoder else TaskType.SEQ_CLS
    settings = PromptTuningConfig(task_type=task, num_virtual_tokens=case.virtual)
    wrapped = get_peft_model(model, settings)
    with torch.no_grad():
        peft_prompt(wrapped).copy_(start)
    return wrapped


def peft_prompt(model: PeftModel) -> Tensor:
    """The prompt's vectors ``[P, H]``, the parameter itself."""
    return model.get_parameter("prompt_encoder.default.embedding.weight")


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
