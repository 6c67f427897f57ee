"""Afina's prefix in the upper half of the layers: no backward below them."""

from collections.abc import Callable

from benchmarks.training_cases import Case
from benchmarks.training_step_afina import afina_step


def afina_upper_step(case: Case) -> Callable[[], float]:
    """A function that trains one step and returns its loss."""
    return afina_step(case, upper=True)
