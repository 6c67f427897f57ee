"""PEFT's side of the serving benchmark: adapters of one model, switched by ``set_adapter``."""

import torch
from peft import (
    PeftModel,
    PrefixTuningConfig,
    PromptLearningConfig,
    PromptTuningConfig,
    TaskType,
    get_peft_model,
)
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from benchmarks.serving_cases import CLASSIFIERS, TASKS, Shape
from benchmarks.training_cases import MINILM

TABLE = "prompt_encoder.{}.embedding.weight"


class PeftSide:
    """A decoder wrapped once by prompt tuning of all tasks, and once by a prefix."""

    def __init__(self, shape: Shape) -> None:
        causal = TaskType.CAUSAL_LM
        prompt = PromptTuningConfig(task_type=causal, num_virtual_tokens=shape.virtual)
        prefix = PrefixTuningConfig(task_type=causal, num_virtual_tokens=shape.virtual)
        self.models = {"prompt": many(shape.model(), prompt), "prefix": many(shape.model(), prefix)}
        whole = shape.prefix().permute(2, 0, 1, 3).flatten(1)  # [P, 2L*K*D]
        put(self.models["prefix"], "0", whole)
        for task in range(TASKS):
            put(self.models["prompt"], str(task), shape.prompt(task))
        for model in self.models.values():
            model.set_adapter("0")

    def write(self, ids: Tensor, kind: str, tokens: int) -> list[list[int]]:
        """The answers of one batch under the first task's prompt."""
        written = self.models[kind].generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
        return written[:, -tokens:].tolist()

    def write_one_by_one(self, ids: Tensor, tokens: int) -> list[list[int]]:
        """Each row under its own task's prompt."""
        found = []
        for task, row in enumerate(ids):
            self.models["prompt"].set_adapter(str(task))
            found += self.write(row[None], "prompt", tokens)
        self.models["prompt"].set_adapter("0")
        return found


class PeftClassifiers:
    """MiniLM-L6 wrapped by prompt tuning of all tasks."""

    def __init__(self) -> None:
        base = AutoModelForSequenceClassification.from_pretrained(
            MINILM, num_labels=CLASSIFIERS.labels
        )
        config = PromptTuningConfig(
            task_type=TaskType.SEQ_CLS, num_virtual_tokens=CLASSIFIERS.virtual
        )
        self.model = many(base.eval(), config)
        words = CLASSIFIERS.requests()
        begin, end = torch.full((TASKS, 1), 101), torch.full((TASKS, 1), 102)  # [CLS], [SEP]
        self.ids = torch.cat([begin, words, end], dim=1)

    @torch.no_grad()
    def one_by_one(self) -> Tensor:
        """Scores of all labels ``[B, C]``."""
        found = []
        for task, row in enumerate(self.ids):
            self.model.set_adapter(str(task))
            ids = row[None]
            found.append(self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits)
        return torch.cat(found)


def many(model: nn.Module, config: PromptLearningConfig) -> PeftModel:
    """The model with an adapter a task, named by its number."""
    wrapped = get_peft_model(model, config, adapter_name="0")
    for task in range(1, TASKS):
        wrapped.add_adapter(str(task), config)
    return wrapped.eval()


def put(model: PeftModel, adapter: str, values: Tensor) -> None:
    with torch.no_grad():
        model.get_parameter(TABLE.format(adapter)).copy_(values)
