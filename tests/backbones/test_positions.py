"""Keys and values that take positions of their own equal transformers' own cache."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injections, KeyValues
from afina.backbones.sites import Place
from afina.errors import ModelError
from tests.backbones.test_identities import CLOSE, TEXTS, answers, assert_same, rows_for
from tests.backbones.test_key_values import key_values
from tests.tiny import ENCODER_DECODERS, FRONTED, shared

CACHED_ENCODERS = ["bert", "roberta", "electra"]  # transformers gives no other a cache
LENGTH = 3


def counted(backbone: Backbone, length: int = LENGTH, seed: int = 0) -> KeyValues:
    """Keys and values at the sites that transformers gives a cache, the text behind them."""
    prompt = key_values(backbone, length, seed=seed)
    if backbone.frozen.kind != "encoder-decoder":
        return replace(prompt, start=length)
    own = [n for n, site in enumerate(backbone.sites()) if site.place is Place.DECODER]
    return KeyValues(prompt.keys[own], prompt.values[own], sites=tuple(own), start=length)


def cache_of(prompt: KeyValues) -> DynamicCache:
    pairs = zip(prompt.keys, prompt.values, strict=True)
    return DynamicCache([(key[None], value[None]) for key, value in pairs])


@pytest.mark.parametrize("family", CACHED_ENCODERS)
def test_an_encoder_s_states_equal_those_behind_a_cache(family: str) -> None:
    """Broken by counting the text from 0, or by RoBERTa's from the padding's own row."""
    backbone, prompt = shared(family), counted(shared(family))
    frozen, row = backbone.frozen, rows_for(backbone, TEXTS)[0]
    ids = torch.tensor([[*frozen.lead, *row, *frozen.trail]])
    mask = torch.ones(1, LENGTH + ids.shape[1], dtype=torch.long)
    with torch.no_grad():
        wanted = frozen.model.base_model(
            input_ids=ids, attention_mask=mask, past_key_values=cache_of(prompt)
        ).last_hidden_state
        found = backbone.states([row], [prompt])
    torch.testing.assert_close(found, wanted[:, 1 : 1 + len(row)], **CLOSE)


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_an_encoder_decoder_s_answer_equals_that_behind_a_cache(family: str) -> None:
    """Broken by counting the answer from 0 (BART), or by a prompt at no distance (T5)."""
    backbone, prompt = shared(family), counted(shared(family))
    frozen, row = backbone.frozen, rows_for(backbone, TEXTS)[0]
    target = frozen.encode("great film it was so very good")
    ids = torch.tensor([[*frozen.lead, *row, *frozen.trail]])
    start = frozen.model.config.decoder_start_token_id
    with torch.no_grad():
        logits = frozen.model(
            input_ids=ids,
            decoder_input_ids=torch.tensor([[start, *target[:-1]]]),
            past_key_values=EncoderDecoderCache(cache_of(prompt), DynamicCache()),
        ).logits
        found = backbone.likelihood([row], [target], [prompt])
        again = backbone.choose([row], [target], [prompt])
    wanted = logits[0].log_softmax(dim=-1)[range(len(target)), target].sum()
    torch.testing.assert_close(found[0], wanted, **CLOSE)
    torch.testing.assert_close(again[0, 0], wanted, **CLOSE)


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_writing_counts_on_behind_a_cache(family: str) -> None:
    """The words written with a cache are those without one. Broken by counting each step anew."""
    backbone, prompt = shared(family), counted(shared(family))
    row = rows_for(backbone, TEXTS)[1]
    with torch.no_grad():
        written = backbone.write([row], [prompt], tokens=5)[0]
        for place in range(1, len(written) + 1):
            best = best_next(backbone, row, written[: place - 1], prompt)
            assert best == written[place - 1]


def best_next(backbone: Backbone, row: list[int], before: list[int], prompt: KeyValues) -> int:
    size = backbone.frozen.model.config.vocab_size
    targets = [[*before, token] for token in range(size)]
    scores: Tensor = backbone.likelihood([row] * size, targets, [prompt] * size)
    return int(scores.argmax())


@pytest.mark.parametrize("family", FRONTED)
def test_rows_that_begin_elsewhere_share_a_batch(family: str) -> None:
    """Broken by one start for all rows."""
    backbone = shared(family)
    rows = rows_for(backbone, TEXTS)[:4]
    plain = key_values(backbone, 2, seed=2)
    injections: Injections = [counted(backbone), None, counted(backbone, 5, seed=1), plain]
    together = [*answers(backbone, rows, injections), backbone.features(rows, injections)]
    for number, (row, injection) in enumerate(zip(rows, injections, strict=True)):
        alone = [*answers(backbone, [row], [injection]), backbone.features([row], [injection])]
        assert_same(alone, [part[number : number + 1] for part in together])


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_text_that_ends_behind_the_position_table_is_refused(family: str) -> None:
    backbone = shared(family)
    prompt = replace(counted(backbone), start=backbone.frozen.positions - 2)
    with pytest.raises(ModelError, match="places with its prompt, but"):
        backbone.features([[7, 8]], [prompt])
