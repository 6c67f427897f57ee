"""Whether transformers' own class for a task puts no more than one linear map on the states."""

import torch
from torch import nn
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_QUESTION_ANSWERING_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
)

from afina.backbones.frozen import Frozen

CLASSES = {  # by PEFT's names of the tasks
    "SEQ_CLS": MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    "TOKEN_CLS": MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
    "QUESTION_ANS": MODEL_FOR_QUESTION_ANSWERING_MAPPING,
}


def plain_head(frozen: Frozen, task: str) -> str | None:
    """The name of the one linear map, or None where there is more, or no class for the task."""
    config = frozen.model.config
    if task not in CLASSES or type(config) not in CLASSES[task]:
        return None
    with torch.device("meta"):
        model = CLASSES[task][type(config)](config)
    rest = [
        (name, module)
        for name, module in model.named_children()
        if module is not model.base_model and not isinstance(module, nn.Dropout)
    ]
    if len(rest) == 1 and isinstance(rest[0][1], nn.Linear):
        return str(rest[0][0])
    return None
