"""DESIGN section 6 for three families, on tiny random models.

Each was seen to fail when the code was broken on purpose; how is said in the test.
"""

import copy

import pytest
import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.decoder import Decoder
from afina.backbones.encoder import Encoder
from afina.backbones.frozen import Tokens, freeze
from afina.backbones.injection import Embeddings, Injections
from tests.tiny import DECODERS, ENCODERS, FAMILIES, raw_model, shared, tokenizer_for

CLOSE = {"atol": 1e-5, "rtol": 0.0}
PROMPT = "it was a very good film , really"
TEXTS = ["i liked this one", "dull plot . never again , it was awful", "fine", "not so bad"]
LABELS = ["great", "awful", "nice"]
LONG_LABELS = ["great film", "awful", "not very nice"]


def rows_for(backbone: Backbone, texts: list[str]) -> list[list[int]]:
    """Encoded texts; an encoder's end with the mask token whose word is asked for."""
    tail = [backbone.frozen.tokenizer.mask_token_id] if isinstance(backbone, Encoder) else []
    return [[*backbone.frozen.encode(text), *tail] for text in texts]


def labels_for(backbone: Backbone) -> list[list[int]]:
    words = LABELS if isinstance(backbone, Encoder) else LONG_LABELS
    return [backbone.frozen.encode(label) for label in words]


def answers(backbone: Backbone, rows: list[Tokens], injections: Injections) -> list[Tensor]:
    """Everything a backbone says about rows, as tensors with a row a row."""
    labels = labels_for(backbone)
    targets = [
        backbone.likelihood([row], [labels[1]], [injection])
        for row, injection in zip(rows, injections, strict=True)
    ]
    with torch.no_grad():
        written = backbone.write(rows, injections, tokens=4)
        return [
            backbone.choose(rows, labels, injections),
            torch.cat(targets),
            torch.tensor([[*row, -1, -1, -1, -1][:4] for row in written]),
        ]


def assert_same(left: list[Tensor], right: list[Tensor]) -> None:
    for one, other in zip(left, right, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_soft_prompt_of_words_equals_those_words(family: str) -> None:
    """Broken by putting the prompt in front of the leading special token: fails where one is."""
    backbone = shared(family)
    words = backbone.frozen.encode(PROMPT)
    rows = rows_for(backbone, TEXTS)
    soft = Embeddings(backbone.frozen.embed(words))
    written_out = answers(backbone, [[*words, *row] for row in rows], [None] * len(rows))
    assert_same(answers(backbone, rows, [soft] * len(rows)), written_out)
    assert not torch.allclose(written_out[0], answers(backbone, rows, [None] * 4)[0], atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_alone_equals_the_row_in_any_batch(family: str) -> None:
    """Broken by leaving ``visible`` out of the prefix, or by counting positions over padding."""
    backbone = shared(family)
    rows = rows_for(backbone, TEXTS)
    generator = torch.Generator().manual_seed(3)
    width = backbone.frozen.width
    prompts = [
        Embeddings(torch.randn(length, width, generator=generator) * 0.3) for length in (1, 7, 3)
    ]
    injections: Injections = [*prompts, None]
    together = answers(backbone, rows, injections)
    for number, (row, injection) in enumerate(zip(rows, injections, strict=True)):
        alone = answers(backbone, [row], [injection])
        assert_same(alone, [part[number : number + 1] for part in together])


@pytest.mark.parametrize("family", FAMILIES)
def test_features_of_a_row_do_not_depend_on_its_batch(family: str) -> None:
    """Broken by pooling over the padding (encoders) or the first column (decoders)."""
    backbone = shared(family)
    rows = rows_for(backbone, TEXTS)
    prompt = Embeddings(torch.randn(5, backbone.frozen.width) * 0.3)
    injections: Injections = [prompt, None, prompt, None]
    together = backbone.features(rows, injections)
    alone = [
        backbone.features([row], [injection])
        for row, injection in zip(rows, injections, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), **CLOSE)


@pytest.mark.parametrize("family", DECODERS)
def test_absorbing_a_prompt_changes_no_answer(family: str) -> None:
    """Broken by positions that begin at 0 behind an absorbed prompt."""
    backbone = shared(family)
    assert isinstance(backbone, Decoder)
    rows = rows_for(backbone, TEXTS)
    words = backbone.frozen.encode(PROMPT)
    soft = Embeddings(backbone.frozen.embed(words) * 0.9)
    count = len(rows)
    assert_same(
        answers(backbone, rows, [backbone.absorb(soft)] * count),
        answers(backbone, rows, [soft] * count),
    )
    assert_same(
        answers(backbone, rows, [backbone.absorb(words)] * count),
        answers(backbone, [[*words, *row] for row in rows], [None] * count),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_without_an_injection_the_model_is_untouched(family: str) -> None:
    """Broken by any change of the attention without a prefix; bits must be equal, not close."""
    model = raw_model(family)
    backbone = shared(family)
    frozen = backbone.frozen
    row = frozen.encode("the plot is dull and bright")
    ids = torch.tensor([[*frozen.lead, *row, *frozen.trail]])
    inputs = {"input_ids": ids}
    if frozen.kind == "encoder-decoder":
        inputs["decoder_input_ids"] = torch.tensor([[0, 7, 8]])
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, frozen.model(**inputs).logits)


@pytest.mark.parametrize("family", ENCODERS)
def test_an_encoder_s_choices_are_the_model_s_own_logits(family: str) -> None:
    """Broken by narrowing the states to the wrong place."""
    backbone = shared(family)
    frozen = backbone.frozen
    row = rows_for(backbone, TEXTS[:1])[0]
    ids = torch.tensor([[*frozen.lead, *row, *frozen.trail]])
    with torch.no_grad():
        logits = frozen.model(input_ids=ids).logits[0, len(frozen.lead) + len(row) - 1]
        chosen = backbone.choose([row], labels_for(backbone), [None])[0]
    words = [label[0] for label in labels_for(backbone)]
    torch.testing.assert_close(chosen, logits.log_softmax(-1)[words], **CLOSE)


@pytest.mark.parametrize("family", DECODERS)
def test_greedy_writing_equals_transformers_own(family: str) -> None:
    """Broken by a cache whose mask is not widened by one place a step."""
    backbone = shared(family)
    row = backbone.frozen.encode("i liked the film and it")
    ids = torch.tensor([[*backbone.frozen.lead, *row]])
    model = copy.deepcopy(backbone.frozen.model)
    model.set_attn_implementation("sdpa")
    wanted = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False
    )[0, ids.shape[1] :].tolist()
    got = backbone.write([row], [None], tokens=6)[0]
    assert got == [token for token in wanted if token != 2]


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_the_prompt_and_nothing_else(family: str) -> None:
    """Broken by absorbing under ``no_grad``."""
    backbone = shared(family)
    rows = rows_for(backbone, TEXTS)
    vectors = (torch.randn(3, backbone.frozen.width) * 0.3).requires_grad_()
    label = labels_for(backbone)[1]
    backbone.likelihood(rows, [label] * 4, [Embeddings(vectors)] * 4).sum().backward()
    assert vectors.grad is not None
    assert bool((vectors.grad.abs().sum(dim=1) > 0).all())
    assert all(weight.grad is None for weight in backbone.frozen.model.parameters())


def test_a_mask_is_never_filled_with_a_mask() -> None:
    """A model whose likeliest word is the mask. Broken by taking it: the hole is never closed."""
    model = raw_model("bert")
    with torch.no_grad():
        model.cls.predictions.bias[3] = 100.0
    frozen = freeze("tiny:bert", model, tokenizer_for("bert"), kind="encoder")
    written = Encoder(frozen).write([[7, 3, 3]], [None], tokens=2)
    assert len(written[0]) == 2
    assert 3 not in written[0]
