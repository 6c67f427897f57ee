"""Where a prefix starts: from words, from chance, from another run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import KeyValues
from afina.errors import ArtefactError, InputError, MismatchError, ModelError
from afina.soft.packed_prompt import pack_prompt
from afina.soft.prefix_init import at_sites, from_chance, from_prefix, from_words, sizes_of
from afina.solver import Packed
from tests.backbones.test_identities import PROMPT, TEXTS, answers, assert_same, rows_for
from tests.tiny import DECODERS, FRONTED, OWN_ATTENTION, shared, tiny


def words_of(backbone: Backbone) -> list[int]:
    return backbone.frozen.encode(PROMPT)


def packed(backbone: Backbone, prompt: KeyValues) -> Packed:
    """A bundle as a solver packs it, as far as a start reads it."""
    parts = pack_prompt(prompt)
    facts = {"model": backbone.frozen.name, "digest": backbone.frozen.digest, **parts.settings}
    return Packed("soft", facts, parts.arrays)


def test_a_prefix_read_from_words_equals_those_words() -> None:
    """On a decoder without a leading special token. Broken by a start of 0 behind it."""
    backbone = shared("gpt2")
    words, rows = words_of(backbone), rows_for(backbone, TEXTS)
    prefix = from_words(backbone, words, len(words))
    written_out = answers(backbone, [[*words, *row] for row in rows], [None] * len(rows))
    assert_same(answers(backbone, rows, [prefix] * len(rows)), written_out)


@pytest.mark.parametrize("family", FRONTED)
def test_words_are_repeated_or_cut_to_length(family: str) -> None:
    backbone = shared(family)
    words = words_of(backbone)
    long = from_words(backbone, words, 2 * len(words))
    read = backbone.read([*words, *words])
    assert torch.equal(long.keys, read.keys)
    assert torch.equal(long.values, read.values)
    assert from_words(backbone, words, 3).keys.equal(backbone.read(words[:3]).keys)
    position = 2 * len(words) if family in DECODERS else 0
    assert (long.length, long.start) == (2 * len(words), position)


def test_a_prefix_longer_than_the_position_table_repeats_what_was_read() -> None:
    """An encoder's prefix takes no positions. Broken by reading all of it at once."""
    backbone = shared("bert")
    prefix = from_words(backbone, words_of(backbone), 100)
    assert prefix.length == 100
    assert torch.equal(prefix.keys[:, :, 62:], prefix.keys[:, :, :38])


@pytest.mark.parametrize("family", FRONTED)
def test_random_keys_and_values_are_as_large_as_the_site_s_own(family: str) -> None:
    """Broken by one size for all sites: they differ, here between keys and values.

    Those of other words may be a little larger or smaller, which 64 words leave within a fifth.
    """
    backbone = shared(family)
    sizes = sizes_of(backbone)
    generator = torch.Generator().manual_seed(0)
    prefix = from_chance(backbone, sizes, 200, generator, values=True)
    drawn = torch.stack([prefix.keys, prefix.values]).pow(2).mean(dim=(2, 3, 4)).sqrt()
    torch.testing.assert_close(drawn, sizes, atol=0.0, rtol=0.05)
    read = backbone.read(words_of(backbone) * 5)
    own = torch.stack([read.keys, read.values]).pow(2).mean(dim=(2, 3, 4)).sqrt()
    torch.testing.assert_close(own, sizes, atol=0.0, rtol=0.2)


def test_a_start_of_0_has_values_of_0_and_keys_that_differ() -> None:
    """Broken by keys of 0, under which all places stay alike for ever."""
    backbone = shared("bert")
    generator = torch.Generator().manual_seed(0)
    prefix = from_chance(backbone, sizes_of(backbone), 3, generator, values=False)
    assert not prefix.values.any()
    assert not torch.allclose(prefix.keys[:, :, 0], prefix.keys[:, :, 1], atol=1e-3)


def test_the_sizes_do_not_depend_on_the_seed_of_the_run() -> None:
    torch.manual_seed(1)
    first = sizes_of(shared("bert"))
    torch.manual_seed(2)
    assert torch.equal(sizes_of(shared("bert")), first)


@pytest.mark.parametrize("family", FRONTED)
def test_a_prefix_starts_from_another_run_s(family: str) -> None:
    """Repeated, cut, and at fewer sites. Broken by taking the first sites, not those asked for."""
    backbone = shared(family)
    first = from_words(backbone, words_of(backbone), 4)
    bundle, last = packed(backbone, first), len(backbone.sites()) - 1
    same = from_prefix(backbone, bundle, 4, range(last + 1))
    assert torch.equal(same.keys, first.keys)
    assert same.start == first.start
    long = at_sites(from_prefix(backbone, bundle, 6, [last]), [last])
    assert torch.equal(long.keys, first.keys[-1:, :, [0, 1, 2, 3, 0, 1]])
    assert torch.equal(long.values, first.values[-1:, :, [0, 1, 2, 3, 0, 1]])
    assert long.sites == (last,)
    again = packed(backbone, long)
    assert torch.equal(at_sites(from_prefix(backbone, again, 6, [last]), [last]).keys, long.keys)
    with pytest.raises(InputError, match=r"at attention sites \[0\] to start .* without \[0\]"):
        from_prefix(backbone, again, 6, [0])


def test_another_model_s_prefix_is_refused() -> None:
    """Broken by not comparing the digests: the shapes are the same."""
    backbone = shared("bert")
    bundle = packed(tiny("bert", seed=1), from_words(backbone, words_of(backbone), 3))
    with pytest.raises(MismatchError, match="tuned on 'tiny:bert', whose weights are not those"):
        from_prefix(backbone, bundle, 3, [0])


def test_a_bundle_without_keys_and_values_is_refused() -> None:
    bundle = Packed("soft", {"prompt": "vectors"}, {"prompt": np.zeros((2, 32), np.float32)})
    with pytest.raises(InputError, match="with keys and values to start from, got 'soft' with pro"):
        from_prefix(shared("bert"), bundle, 3, [0])


def test_a_damaged_prefix_is_refused() -> None:
    backbone = shared("bert")
    whole = packed(backbone, from_words(backbone, words_of(backbone), 3))
    missing = replace(whole, arrays={"keys": whole.arrays["keys"]})
    with pytest.raises(ArtefactError, match="the bundle lacks or garbles 'values'"):
        from_prefix(backbone, missing, 3, [0])
    broken = {**whole.arrays, "keys": np.full_like(whole.arrays["keys"], np.nan)}
    with pytest.raises(ArtefactError, match="NaN or infinite"):
        from_prefix(backbone, replace(whole, arrays=broken), 3, [0])


@pytest.mark.parametrize("family", OWN_ATTENTION)
def test_a_model_that_takes_no_keys_and_values_is_refused(family: str) -> None:
    with pytest.raises(ModelError, match="takes no keys and values; use vectors at its input"):
        sizes_of(shared(family))
