"""What was packed, read back with care: arrays of the shapes and settings of the types we wrote.

What is missing or of another type raises KeyError, TypeError or ValueError, whose text names it;
the reader of the whole bundle makes one error of it.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from afina.errors import ArtefactError
from afina.solver import Packed


def finite(packed: Packed) -> dict[str, Tensor]:
    """The arrays as tensors.

    Raises:
        ArtefactError: a number is NaN or infinite.
    """
    arrays = {name: torch.from_numpy(array.copy()) for name, array in packed.arrays.items()}
    if not all(bool(array.isfinite().all()) for array in arrays.values()):
        raise ArtefactError("the bundle holds NaN or infinite numbers; tune the prompt anew")
    return arrays


def array_of(arrays: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    array = arrays[name]
    if array.dtype != torch.float32 or tuple(array.shape) != shape:
        raise ValueError(f"{name}, {array.dtype} of {tuple(array.shape)}, not float32 of {shape}")
    return array


def labels_in(facts: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(label) for label in list_of(facts["labels"]))


def integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r}, which should be a whole number")
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r}, which should be true or false")
    return value


def number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r}, which should be a finite number")
    return float(value)


def integers(value: object) -> tuple[int, ...]:
    return tuple(integer(part) for part in list_of(value))


def list_of(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r}, which should be a list")
    return value
