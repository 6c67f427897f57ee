"""Which of a model's attention sites a prefix stands at: by place, and by layer within it."""

from collections.abc import Sequence

from afina.backbones.sites import Place, Site
from afina.errors import InputError


def choose_sites(sites: Sequence[Site], places: Sequence[Place], layers: str) -> tuple[int, ...]:
    """The numbers of the sites at some places, in ``all`` layers, ``upper:3`` or ``0,1,5``.

    Layers are counted from 0 within each place, those of the decoder apart from the encoder's.

    Raises:
        InputError: the layers cannot be read, or a place has them not.
    """
    chosen: list[int] = []
    for place in places:
        numbers = [number for number, site in enumerate(sites) if site.place is place]
        chosen += [numbers[layer] for layer in read_layers(layers, place, len(numbers))]
    return tuple(sorted(chosen))


def read_layers(layers: str, place: Place, count: int) -> list[int]:
    """The layers of a place with ``count`` of them.

    >>> read_layers("all", Place.ENCODER, 3), read_layers("upper:2", Place.ENCODER, 3)
    ([0, 1, 2], [1, 2])
    >>> read_layers("0, 2", Place.ENCODER, 3)
    [0, 2]

    Raises:
        InputError: they cannot be read, or are not there.
    """
    if layers == "all":
        return list(range(count))
    upper = layers.startswith("upper:")
    parts = layers.removeprefix("upper:").split(",")
    if not all(part.strip().isdecimal() for part in parts) or (upper and len(parts) > 1):
        raise InputError(f"expected layers all, upper:3 or numbers such as 0,1,5, got {layers!r}")
    numbers = [int(part) for part in parts]
    if upper:
        if not 1 <= numbers[0] <= count:
            raise InputError(
                f"expected upper:1 to upper:{count} of the {count} {place} layers, got {layers!r}"
            )
        return list(range(count - numbers[0], count))
    if max(numbers) >= count:
        raise InputError(
            f"expected {place} layers of 0 to {count - 1}, got {layers!r}; choose fewer layers "
            "or other places"
        )
    return sorted(set(numbers))


def choose_places(sites: Sequence[Site], places: str, *, writes: bool) -> tuple[Place, ...]:
    """The places asked for; ``auto`` are those that can move the answer.

    A head reads an encoder-decoder's encoder; only an answer that it ``writes``, or whose words it
    scores, comes through the decoder.

    Raises:
        InputError: they cannot be read, are not there, or cannot move the answer.
    """
    there = tuple(place for place in Place if any(site.place is place for site in sites))
    read = there if writes or Place.ENCODER not in there else (Place.ENCODER,)
    if places == "auto":
        return read
    wanted = there if places == "all" else _read_places(places)
    missing = [place for place in wanted if place not in there]
    if missing:
        raise InputError(
            f"expected places that the model has, which are {', '.join(there)}, got {places!r}"
        )
    idle = [place for place in wanted if place not in read]
    if idle:
        raise InputError(
            f"expected places that a head's answer depends on, got {places!r}: a head reads the "
            f"encoder, which {', '.join(idle)} cannot move; use places=encoder, or answer=words"
        )
    return wanted


def _read_places(places: str) -> tuple[Place, ...]:
    names = {part.strip() for part in places.split(",")}
    if not names <= set(Place):
        raise InputError(
            f"expected places auto, all, or some of {', '.join(Place)}, got {places!r}"
        )
    return tuple(place for place in Place if place in names)
