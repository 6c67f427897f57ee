"""Logits of real PEFT models equal ours, both ways; skipped where PEFT is not installed."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertForTokenClassification,
    GPT2ForSequenceClassification,
)

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings, Injection, KeyValues
from afina.backbones.sites import Place
from afina.soft.interchange import read_peft, read_peft_head, write_peft
from tests.backbones.test_identities import CLOSE, TEXTS
from tests.backbones.test_key_values import key_values
from tests.soft.references.peft_beside import (
    TASK,
    TYPES,
    N,
    config_for,
    ids_for,
    ours,
    theirs,
    wrapped,
)
from tests.tiny import configs, raw_model, shared

pytestmark = pytest.mark.skipif(
    find_spec("peft") is None, reason="needs peft 0.21.2: pip install -e '.[bench]'"
)
METHODS = ["prompt", "prefix", "prefix-mlp", "p-tuning-mlp", "p-tuning-lstm"]
WAYS = [(family, method) for family in TYPES for method in METHODS]


@pytest.fixture(autouse=True)
def _as_peft_warns() -> Iterator[None]:
    """PEFT warns of arguments that it drops; here none is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def peft_model(model: Any, config: Any, seed: int = 0) -> Any:
    """A PEFT model whose prompt is random and large enough to matter."""
    import peft

    made = peft.get_peft_model(model, config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in made.prompt_encoder.parameters():
            weight.normal_(0.0, 0.5)
    return made.eval()


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS], ids=["alone", "right-padded"])
@pytest.mark.parametrize(("family", "method"), WAYS)
def test_a_prompt_that_peft_saved_answers_as_in_peft(
    family: str, method: str, texts: list[str], tmp_path: Path
) -> None:
    """Broken by another place, order of layers, order of keys and values, or start."""
    model = peft_model(wrapped(raw_model(family), family), config_for(method, TYPES[family]))
    model.save_pretrained(tmp_path)
    backbone = shared(family)
    found = ours(backbone, read_peft(tmp_path, backbone), texts)
    torch.testing.assert_close(found, theirs(model, backbone, texts), **CLOSE)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_task_of_a_multitask_prompt_answers_as_in_peft(family: str, tmp_path: Path) -> None:
    model = peft_model(raw_model(family), config_for("multitask", "CAUSAL_LM"))
    model.save_pretrained(tmp_path)
    backbone = shared(family)
    found = ours(backbone, read_peft(tmp_path, backbone, task=TASK), TEXTS)
    wanted = theirs(model, backbone, TEXTS, task_ids=torch.tensor([TASK] * len(TEXTS)))
    torch.testing.assert_close(found, wanted, **CLOSE)


@pytest.mark.parametrize("family", ["bart", "t5"])
@pytest.mark.parametrize("method", ["multitask", "prompt"])
def test_an_encoder_decoder_generates_as_in_peft(family: str, method: str, tmp_path: Path) -> None:
    """PEFT's generation leaves the decoder's half of a multitask prompt out, and so do we."""
    model = peft_model(raw_model(family), config_for(method, "SEQ_2_SEQ_LM"))
    model.save_pretrained(tmp_path)
    backbone = shared(family)
    multitask = {"task_ids": torch.tensor([TASK])} if method == "multitask" else {}
    injection = read_peft(tmp_path, backbone, task=TASK if multitask else None)
    with torch.no_grad():
        logits = model.generate(
            **ids_for(backbone, TEXTS[:1]),
            **multitask,
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        ).logits[0]
    found = ours(backbone, injection, TEXTS[:1])[:, 0]
    torch.testing.assert_close(found, logits.log_softmax(dim=-1), **CLOSE)


def test_a_bert_multitask_prompt_s_states_are_peft_s(tmp_path: Path) -> None:
    """Of its token classifier, since PEFT's feature extraction cannot be told the task."""
    raw = classifier(BertForTokenClassification, "bert")
    model = peft_model(raw, config_for("multitask", "TOKEN_CLS"))
    model.save_pretrained(tmp_path)
    backbone, inputs = shared("bert"), ids_for(shared("bert"), TEXTS[:1])
    with torch.no_grad():
        output = model(**inputs, task_ids=torch.tensor([TASK]), output_hidden_states=True)
    row = backbone.frozen.encode(TEXTS[0])
    found = backbone.states([row], [read_peft(tmp_path, backbone, task=TASK)])
    wanted = output.hidden_states[-1][:, N + 1 : N + 1 + len(row)]
    torch.testing.assert_close(found, wanted, **CLOSE)


def classifier(kind: Any, family: str) -> Any:  # a transformers class
    """A classifier on the trunk of a tiny model."""
    config = configs()[family]
    config.num_labels = 3
    model = kind(config).eval()
    trunk = raw_model(family).base_model.state_dict()
    model.base_model.load_state_dict(trunk, strict=False)
    return model


def test_a_token_classifier_s_logits_are_peft_s(tmp_path: Path) -> None:
    model = peft_model(
        classifier(BertForTokenClassification, "bert"), config_for("prompt", "TOKEN_CLS")
    )
    model.save_pretrained(tmp_path)
    backbone = shared("bert")
    head, prompt = read_peft_head(tmp_path, backbone), read_peft(tmp_path, backbone)
    row = backbone.frozen.encode(TEXTS[0])
    with torch.no_grad():
        wanted = model(**ids_for(backbone, TEXTS[:1])).logits[0, N + 1 : N + 1 + len(row)]
        found = head(backbone.states([row], [prompt])[0])
    torch.testing.assert_close(found, wanted, **CLOSE)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_a_decoder_s_classifier_is_peft_s(method: str, tmp_path: Path) -> None:
    """On rows alone: with right padding PEFT reads another token's state."""
    model = peft_model(
        classifier(GPT2ForSequenceClassification, "gpt2"), config_for(method, "SEQ_CLS")
    )
    model.save_pretrained(tmp_path)
    backbone = shared("gpt2")
    head, prompt = read_peft_head(tmp_path, backbone), read_peft(tmp_path, backbone)
    with torch.no_grad():
        wanted = model(**ids_for(backbone, TEXTS[:1])).logits
        found = head(backbone.features([backbone.frozen.encode(TEXTS[0])], [prompt]))
    torch.testing.assert_close(found, wanted, **CLOSE)


def of_ours(backbone: Backbone, method: str) -> Injection:
    """A prompt of ours in a form that PEFT has."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(N, backbone.frozen.width, generator=generator) * 0.5
    if method != "prefix":
        return Embeddings(vectors, before_lead=method == "before")
    prompt = replace(key_values(backbone, N), start=N)
    if backbone.frozen.kind != "encoder-decoder":
        return prompt
    own = [n for n, site in enumerate(backbone.sites()) if site.place is Place.DECODER]
    return replace(prompt, keys=prompt.keys[own], values=prompt.values[own], sites=tuple(own))


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS], ids=["alone", "right-padded"])
@pytest.mark.parametrize("method", ["behind", "before", "prefix"])
@pytest.mark.parametrize("family", list(TYPES))
def test_peft_answers_as_the_prompt_we_wrote(
    family: str, method: str, texts: list[str], tmp_path: Path
) -> None:
    """Where our lead stands first, PEFT is given texts without it. Broken by giving it twice."""
    import peft

    backbone = shared(family)
    injection = of_ours(backbone, method)
    write_peft(injection, backbone, folder=tmp_path)
    model = peft.PeftModel.from_pretrained(wrapped(raw_model(family), family), str(tmp_path)).eval()
    lead = len(backbone.frozen.lead) if method == "behind" else 0
    wanted = theirs(model, backbone, texts, lead)
    torch.testing.assert_close(ours(backbone, injection, texts), wanted, **CLOSE)


def test_an_absorbed_prompt_becomes_a_prefix_with_its_lead(tmp_path: Path) -> None:
    import peft

    backbone = shared("llama")
    absorbed = backbone.absorb([7, 8, 9])
    assert isinstance(absorbed, KeyValues)
    write_peft(absorbed, backbone, folder=tmp_path)
    model = peft.PeftModel.from_pretrained(raw_model("llama"), str(tmp_path)).eval()
    wanted = theirs(model, backbone, TEXTS, 1)
    torch.testing.assert_close(ours(backbone, absorbed, TEXTS), wanted, **CLOSE)
