"""What PEFT and we say of the same texts under the same prompt; imports PEFT only where asked."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze, kind_of
from afina.backbones.injection import Injection
from tests.tiny import raw_model, tokenizer_for

N = 3  # virtual tokens
TASK = 1  # of a multitask prompt
STORED = Path(__file__).parent / "peft.json"
CASES = {  # name -> family and method
    "gpt2-prompt": ("gpt2", "prompt"),
    "gpt2-prefix": ("gpt2", "prefix"),
    "llama-prompt": ("llama", "prompt"),
    "llama-prefix": ("llama", "prefix"),
    "llama-multitask": ("llama", "multitask"),
    "bert-prompt": ("bert", "prompt"),
    "bert-prefix": ("bert", "prefix"),
    "bart-prompt": ("bart", "prompt"),
    "bart-prefix": ("bart", "prefix"),
    "t5-prompt": ("t5", "prompt"),
    "t5-prefix": ("t5", "prefix"),
}
TYPES = {
    "gpt2": "CAUSAL_LM",
    "llama": "CAUSAL_LM",
    "bert": "FEATURE_EXTRACTION",
    "roberta": "FEATURE_EXTRACTION",
    "bart": "SEQ_2_SEQ_LM",
    "t5": "SEQ_2_SEQ_LM",
}


def config_for(method: str, task: str) -> Any:  # a class of PEFT's own
    import peft

    given = {"task_type": task, "num_virtual_tokens": N}
    match method:
        case "prompt":
            return peft.PromptTuningConfig(**given)
        case "prefix":
            return peft.PrefixTuningConfig(**given)
        case "prefix-mlp":
            return peft.PrefixTuningConfig(**given, prefix_projection=True, encoder_hidden_size=16)
        case "p-tuning-mlp" | "p-tuning-lstm":
            kind = method.removeprefix("p-tuning-").upper()
            return peft.PromptEncoderConfig(
                **given, encoder_reparameterization_type=kind, encoder_hidden_size=16
            )
    return peft.MultitaskPromptTuningConfig(**given, num_tasks=2, num_ranks=2)


def wrapped(model: Any, family: str) -> Any:  # transformers classes
    """What PEFT wraps: an encoder without its head."""
    return model.base_model if TYPES[family] == "FEATURE_EXTRACTION" else model


def ids_for(backbone: Backbone, texts: list[str], lead: int = 0) -> dict[str, Tensor]:
    """What PEFT is given: right-padded ids and their mask, without the first ``lead`` of each."""
    frozen = backbone.frozen
    rows = [[*frozen.lead, *frozen.encode(text), *frozen.trail][lead:] for text in texts]
    width = max(map(len, rows))
    return {
        "input_ids": torch.tensor([[*row, *[0] * (width - len(row))] for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }


def theirs(model: Any, backbone: Backbone, texts: list[str], lead: int = 0, **more: Any) -> Tensor:
    """What PEFT says at the last token of each text: states of an encoder, else log-probabilities.

    Of an encoder-decoder it is what it says at each place of the answer.
    """
    frozen, inputs = backbone.frozen, ids_for(backbone, texts, lead)
    with torch.no_grad():
        if frozen.kind == "encoder-decoder":
            start = frozen.model.config.decoder_start_token_id
            answer = torch.tensor([[start, *answer_of(backbone)]] * len(texts))
            return model(**inputs, decoder_input_ids=answer, **more).logits.log_softmax(dim=-1)
        output = model(**inputs, **more)
    said = output.last_hidden_state if frozen.kind == "encoder" else output.logits
    own = said[:, said.shape[1] - inputs["input_ids"].shape[1] :]  # without the virtual tokens
    before = len(frozen.lead) - lead
    lasts = [before + len(frozen.encode(text)) - 1 for text in texts]
    found = own[range(len(texts)), lasts]
    return found if frozen.kind == "encoder" else found.log_softmax(dim=-1)


def answer_of(backbone: Backbone) -> list[int]:
    return backbone.frozen.encode("very good")


def ours(backbone: Backbone, injection: Injection, texts: list[str]) -> Tensor:
    """The same of ours."""
    frozen = backbone.frozen
    rows = [frozen.encode(text) for text in texts]
    injections = [injection] * len(rows)
    every = [[token] for token in range(frozen.model.config.vocab_size)]
    with torch.no_grad():
        if frozen.kind == "encoder":
            states = backbone.states(rows, injections)
            return torch.stack([states[at, len(row) - 1] for at, row in enumerate(rows)])
        if frozen.kind == "decoder":
            return backbone.choose(rows, every, injections)
        answer, steps = answer_of(backbone), []
        for length in range(len(answer) + 1):
            before = answer[:length]
            said = backbone.likelihood(rows, [before] * len(rows), injections) if before else 0.0
            labels = [[*before, *token] for token in every]
            steps.append((backbone.choose(rows, labels, injections).T - said).T)
    return torch.stack(steps, dim=1)  # [B, T, V]


def fill(weights: list[Tensor], size: float) -> None:
    """Numbers from a formula, so that no library's generator decides them."""
    with torch.no_grad():
        for number, weight in enumerate(weights):
            step = torch.arange(weight.numel(), dtype=torch.float64)
            wave = torch.sin(step * (1.3 + 0.37 * number) + number) * size
            weight.copy_(wave.view(weight.shape))


def formula_model(family: str) -> Any:  # a transformers class
    """A tiny model whose matrices are from the formula."""
    model = raw_model(family)
    fill([weight for weight in model.parameters() if weight.ndim == 2], 0.2)
    return model


def formula_backbone(family: str) -> Backbone:
    model = formula_model(family)
    return backbone_of(
        freeze(f"tiny:{family}", model, tokenizer_for(family), kind=kind_of(model.config))
    )


def stored() -> dict[str, Any]:
    """What PEFT wrote and said, by case; ``make_peft.py`` made it."""
    found: dict[str, Any] = json.loads(STORED.read_text())
    return found
