"""How large a model is, and how much of which kind it reads in a step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """A transformer's shape."""

    width: int
    layers: int  # an encoder-decoder writes by half as many and one
    heads: int
    inner: int  # width between a layer's two products


SIZES = {
    "little": Size(width=192, layers=5, heads=4, inner=512),
    "middle": Size(width=256, layers=6, heads=4, inner=704),
    "large": Size(width=512, layers=8, heads=8, inner=1408),  # for a GPU: 25 million parameters
}


@dataclass(frozen=True)
class Portion:
    """Rows and places of one step: about as many tokens of text as of talks."""

    text_rows: int = 16
    text_places: int = 256
    talk_rows: int = 8
    talk_places: int = 512

    @property
    def tokens(self) -> int:
        """Tokens of a step, padding included."""
        return self.text_rows * self.text_places + self.talk_rows * self.talk_places
