"""Places and layers, as settings name them, become the numbers of sites."""

import pytest

from afina.backbones.sites import Place
from afina.errors import InputError
from afina.soft.site_choice import choose_places, choose_sites, read_layers
from tests.tiny import shared

ENCODER, DECODER, CROSS = Place.ENCODER, Place.DECODER, Place.CROSS


@pytest.mark.parametrize(
    ("places", "layers", "sites"),
    [
        ((ENCODER, DECODER, CROSS), "all", (0, 1, 2, 3, 4, 5)),
        ((ENCODER,), "all", (0, 1)),
        ((DECODER,), "all", (2, 4)),
        ((CROSS,), "all", (3, 5)),
        ((ENCODER, DECODER, CROSS), "upper:1", (1, 4, 5)),
        ((CROSS, DECODER), "0", (2, 3)),
        ((ENCODER, CROSS), "1, 0,1", (0, 1, 3, 5)),
        ((ENCODER,), "upper:2", (0, 1)),
    ],
)
def test_layers_are_counted_within_each_place(
    places: tuple[Place, ...], layers: str, sites: tuple[int, ...]
) -> None:
    """Sites of T5 with two layers: encoder 0 1, then decoder and cross-attention in turn.

    Broken by counting over all sites of the model.
    """
    assert choose_sites(shared("t5").sites(), places, layers) == sites


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("upper", "expected layers all, upper:3 or numbers such as 0,1,5, got 'upper'"),
        ("upper:", "expected layers all, upper:3 or"),
        ("upper:1,2", "expected layers all, upper:3 or"),
        ("lower:2", "expected layers all, upper:3 or"),
        ("-1", "expected layers all, upper:3 or"),
        ("", "expected layers all, upper:3 or"),
        ("0,,1", "expected layers all, upper:3 or"),
        ("upper:0", "expected upper:1 to upper:6 of the 6 cross layers, got 'upper:0'"),
        ("upper:7", "expected upper:1 to upper:6 of the 6 cross layers, got 'upper:7'"),
        ("2,6", "expected cross layers of 0 to 5, got '2,6'; choose fewer layers or other places"),
    ],
)
def test_layers_that_are_none_are_refused(layers: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_layers(layers, CROSS, 6)


@pytest.mark.parametrize(
    ("family", "places", "writes", "chosen"),
    [
        ("bert", "auto", False, (ENCODER,)),
        ("bert", "all", True, (ENCODER,)),
        ("gpt2", "auto", False, (DECODER,)),
        ("gpt2", "all", False, (DECODER,)),
        ("bart", "auto", True, (ENCODER, DECODER, CROSS)),
        ("bart", "auto", False, (ENCODER,)),
        ("bart", "encoder", False, (ENCODER,)),
        ("bart", "cross, encoder", True, (ENCODER, CROSS)),
    ],
)
def test_auto_is_every_place_that_moves_the_answer(
    family: str, places: str, writes: bool, chosen: tuple[Place, ...]
) -> None:
    """Broken by taking all places for a head too: two thirds would never get a gradient."""
    assert choose_places(shared(family).sites(), places, writes=writes) == chosen


@pytest.mark.parametrize(
    ("family", "places", "writes", "message"),
    [
        ("bart", "middle", True, "auto, all, or some of encoder, decoder, cross, got 'middle'"),
        ("bart", "", True, "auto, all, or some of encoder, decoder, cross, got ''"),
        ("bart", "encoder,all", True, "auto, all, or some of encoder, decoder, cross"),
        ("bert", "decoder", False, "that the model has, which are encoder, got 'decoder'"),
        ("gpt2", "cross,decoder", True, "which are decoder, got 'cross,decoder'"),
        ("bart", "all", False, "which decoder, cross cannot move; use places=encoder, or answer"),
        ("bart", "encoder,cross", False, "got 'encoder,cross': a head reads the encoder, which"),
    ],
)
def test_places_that_are_none_or_move_nothing_are_refused(
    family: str, places: str, writes: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        choose_places(shared(family).sites(), places, writes=writes)
