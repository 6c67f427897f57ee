"""The settings of mipro, which can be read without the package that it draws with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MiproSettings:
    """How many instructions and sets of examples there are, and what may be spent."""

    instructions: int = 8  # of a prompt, the given one included
    sets: int = 4  # sets of examples, the empty one included
    shots: int = 12  # examples of a set
    calls: int = 400  # calls of language models at most
    seed: int = 0


USUAL = MiproSettings()
