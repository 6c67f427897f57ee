"""Keys and values in front of the attention, and vectors anywhere, in every family."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.encoder import Encoder
from afina.backbones.encoder_decoder import EncoderDecoder
from afina.backbones.injection import Embeddings, Injections, KeyValues, slot
from afina.backbones.sites import Place
from afina.errors import MismatchError, ModelError
from tests.backbones.test_identities import CLOSE, TEXTS, answers, assert_same, rows_for
from tests.tiny import ENCODER_DECODERS, FAMILIES, FRONTED, OWN_ATTENTION, shared, tiny

GPT2 = "gpt2"  # no leading special token


def key_values(backbone: Backbone, length: int, *, seed: int = 0, grad: bool = False) -> KeyValues:
    """A random prompt of keys and values at all sites."""
    generator = torch.Generator().manual_seed(seed)
    first, sites = backbone.sites()[0], len(backbone.sites())
    shape = (sites, first.heads, length, first.size)
    keys, values = (torch.randn(shape, generator=generator) for _ in range(2))
    start = length if backbone.frozen.kind == "decoder" else 0
    return KeyValues(keys.requires_grad_(grad), values.requires_grad_(grad), start=start)


def vectors(backbone: Backbone, length: int) -> Embeddings:
    generator = torch.Generator().manual_seed(length)
    return Embeddings(torch.randn(length, backbone.frozen.width, generator=generator) * 0.3)


@pytest.mark.parametrize("family", FRONTED)
def test_a_row_of_any_prompt_alone_equals_the_row_in_a_mixed_batch(family: str) -> None:
    """Vectors, keys and values of two lengths, some sites only, and no prompt, side by side.

    Broken by showing a row the longest prompt's places, or by one start for all rows.
    """
    backbone = shared(family)
    long, short = key_values(backbone, 5), key_values(backbone, 2, seed=1)
    upper = (len(backbone.sites()) - 1,)
    some = replace(short, keys=short.keys[-1:], values=short.values[-1:], sites=upper)
    injections: Injections = [long, vectors(backbone, 3), None, some]
    rows = rows_for(backbone, TEXTS)
    together = [*answers(backbone, rows, injections), backbone.features(rows, injections)]
    for number, (row, injection) in enumerate(zip(rows, injections, strict=True)):
        alone = [*answers(backbone, [row], [injection]), backbone.features([row], [injection])]
        assert_same(alone, [part[number : number + 1] for part in together])


@pytest.mark.parametrize("family", FRONTED)
def test_the_states_of_a_row_s_own_tokens_do_not_depend_on_its_batch(family: str) -> None:
    """Broken by counting from the batch's first column (decoders), or over the prompt's places."""
    backbone = shared(family)
    rows = rows_for(backbone, TEXTS)
    injections: Injections = [vectors(backbone, 3), key_values(backbone, 4), None, None]
    together = backbone.states(rows, injections)
    assert together.shape == (4, max(map(len, rows)), 32)
    for number, (row, injection) in enumerate(zip(rows, injections, strict=True)):
        alone = backbone.states([row], [injection])[0]
        torch.testing.assert_close(together[number, : len(row)], alone, **CLOSE)
        assert bool((together[number, len(row) :] == 0).all())


@pytest.mark.parametrize("family", FRONTED)
def test_gradients_reach_keys_and_values_and_no_weight(family: str) -> None:
    """Broken by reading the prompt under ``no_grad``; also where layers are computed again."""
    backbone = tiny(family)
    rows = rows_for(backbone, TEXTS)
    label = backbone.frozen.encode("great")
    grads = []
    for again in (False, True):
        prompt = key_values(backbone, 3, grad=True)
        if not again:
            loss(backbone, rows, label, prompt).backward()
        elif backbone.frozen.model.supports_gradient_checkpointing:
            with backbone.frozen.recomputing():
                loss(backbone, rows, label, prompt).backward()
        else:
            with pytest.raises(ModelError, match="cannot recompute"), backbone.frozen.recomputing():
                pass
            return
        assert prompt.keys.grad is not None
        assert prompt.values.grad is not None
        assert bool((prompt.values.grad.abs().amax(dim=(1, 2, 3)) > 0).all())
        grads.append(torch.stack([prompt.keys.grad, prompt.values.grad]))
    torch.testing.assert_close(grads[0], grads[1], atol=1e-6, rtol=1e-5)
    assert all(weight.grad is None for weight in backbone.frozen.model.parameters())
    assert not backbone.frozen.model.training


def loss(backbone: Backbone, rows: list[list[int]], label: list[int], prompt: KeyValues) -> Tensor:
    return -backbone.likelihood(rows, [label] * len(rows), [prompt] * len(rows)).sum()


@pytest.mark.parametrize("family", FAMILIES)
def test_words_at_slots_anywhere_equal_the_words_written_out(family: str) -> None:
    """Three vectors, two in front and one in the middle; broken by a gather that is off by one."""
    backbone = shared(family)
    front, middle = backbone.frozen.encode("it was"), backbone.frozen.encode("very")
    soft = Embeddings(backbone.frozen.embed([*front, *middle]), anywhere=True)
    rows = rows_for(backbone, TEXTS)
    placed = [[slot(0), slot(1), row[0], slot(2), *row[1:]] for row in rows]
    written_out = [[*front, row[0], *middle, *row[1:]] for row in rows]
    assert_same(
        answers(backbone, placed, [soft] * len(rows)),
        answers(backbone, written_out, [None] * len(rows)),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_slot_that_the_prompt_does_not_have_is_refused(family: str) -> None:
    backbone = shared(family)
    soft = Embeddings(vectors(backbone, 2).vectors, anywhere=True)
    with pytest.raises(ModelError, match="names vector 2 of its prompt, which has 2"):
        backbone.features([[7, slot(2)]], [soft])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_that_names_no_slot_is_refused(family: str) -> None:
    """Broken by reading the row without its prompt."""
    backbone = shared(family)
    soft = Embeddings(vectors(backbone, 2).vectors, anywhere=True)
    with pytest.raises(ModelError, match="names no place for the 2 vectors of its prompt"):
        backbone.features([[7, slot(0)], [7]], [soft, soft])


def test_a_written_prompt_s_keys_and_values_equal_the_prompt() -> None:
    """On a decoder without a leading special token. Broken by a start of 0 behind them."""
    backbone = shared(GPT2)
    words = backbone.frozen.encode("it was a very good film")
    rows = rows_for(backbone, TEXTS)
    assert_same(
        answers(backbone, rows, [backbone.read(words)] * len(rows)),
        answers(backbone, [[*words, *row] for row in rows], [None] * len(rows)),
    )


@pytest.mark.parametrize("family", FRONTED)
def test_reading_keeps_a_place_for_each_word_at_each_site(family: str) -> None:
    backbone = shared(family)
    prompt = backbone.read(backbone.frozen.encode("it was a very good film"))
    assert prompt.length == 6
    assert len(prompt.keys) == len(backbone.sites())
    spread = prompt.keys.std(dim=2).amin(dim=(1, 2))
    assert bool((spread > 1e-4).all()), "each word has keys of its own"


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_an_encoder_decoder_has_three_kinds_of_sites(family: str) -> None:
    """Two layers each; broken by telling cross-attention by its order alone."""
    places = [site.place for site in shared(family).sites()]
    assert places == [Place.ENCODER] * 2 + [Place.DECODER, Place.CROSS] * 2


def test_a_shared_layer_has_a_site_at_each_meeting() -> None:
    """ALBERT computes one module twice. Broken by numbering sites by module."""
    sites = shared("albert").sites()
    assert [site.meeting for site in sites] == [0, 1]
    backbone = shared("albert")
    prompt = key_values(backbone, 3)
    row = backbone.frozen.encode(TEXTS[0])
    first = replace(prompt, keys=prompt.keys[:1], values=prompt.values[:1], sites=(0,))
    second = replace(first, sites=(1,))
    found = [backbone.features([row], [each]) for each in (prompt, first, second)]
    assert not torch.allclose(found[1], found[2], atol=1e-3)
    assert not torch.allclose(found[0], found[1], atol=1e-3)


@pytest.mark.parametrize("family", OWN_ATTENTION)
def test_a_model_with_an_attention_of_its_own_refuses_keys_and_values(family: str) -> None:
    backbone = shared(family)
    part = torch.zeros(2, 4, 3, 8)
    with pytest.raises(ModelError, match="takes no keys and values; use vectors at its input"):
        backbone.features([[7]], [KeyValues(part, part)])
    with pytest.raises(ModelError, match="takes no keys and values"):
        backbone.read([7])


@pytest.mark.parametrize("family", FRONTED)
def test_keys_and_values_of_another_shape_are_refused(family: str) -> None:
    backbone = shared(family)
    prompt, sites = key_values(backbone, 2), len(backbone.sites())
    twice = [part.repeat(2, 1, 1, 1) for part in (prompt.keys, prompt.values)]
    more = replace(prompt, keys=twice[0], values=twice[1])
    with pytest.raises(MismatchError, match=f"of {2 * sites} attention sites, but .* has {sites}"):
        backbone.features([[7]], [more])
    doubled = [part.repeat(1, 2, 1, 1) for part in (prompt.keys, prompt.values)]
    wide = replace(prompt, keys=doubled[0], values=doubled[1])
    with pytest.raises(MismatchError, match="heads of size"):
        backbone.features([[7]], [wide])


@pytest.mark.parametrize("family", ["bert", "electra", "albert"])
def test_a_pair_s_second_text_is_of_the_second_kind(family: str) -> None:
    """As the tokenizers of these families mark it. Broken by marking the separator itself."""
    backbone = shared(family)
    assert isinstance(backbone, Encoder)
    frozen = backbone.frozen
    one, other = frozen.encode("a good film"), frozen.encode("it was dull")
    separator = frozen.tokenizer.sep_token_id
    ids = torch.tensor([[*frozen.lead, *one, separator, *other, *frozen.trail]])
    kinds = torch.tensor([[0] * (len(one) + 2) + [1] * (len(other) + 1)])
    with torch.no_grad():
        states = frozen.model.base_model(input_ids=ids, token_type_ids=kinds).last_hidden_state
    own = backbone.states([[*one, separator, *other]], [None])
    torch.testing.assert_close(own[0], states[0, 1:-1], **CLOSE)


def test_cross_attention_alone_moves_the_answer_but_not_the_features() -> None:
    """Broken by giving the encoder what is the decoder's."""
    backbone = shared("bart")
    assert isinstance(backbone, EncoderDecoder)
    prompt = key_values(backbone, 3)
    cross = [at for at, site in enumerate(backbone.sites()) if site.place is Place.CROSS]
    only = replace(prompt, keys=prompt.keys[cross], values=prompt.values[cross], sites=tuple(cross))
    row, label = backbone.frozen.encode(TEXTS[0]), backbone.frozen.encode("great")
    assert torch.equal(backbone.features([row], [only]), backbone.features([row], [None]))
    moved, plain = (backbone.likelihood([row], [label], [each]) for each in (only, None))
    assert not torch.allclose(moved, plain, atol=1e-3)
