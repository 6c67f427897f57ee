"""Models by their names: the backbone a prompt is trained on, the language model it is put to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from afina.errors import ModelError
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.lm.endpoint import Endpoint
    from afina.lm.lm import LM

REMOTE = ("openai", "openai-completions")  # providers, in front of the colon of a model's name


def load_model(name: str) -> "Backbone":
    """Load and freeze a model by its name.

    Raises:
        ModelError: nothing is there, or the family cannot be frozen.
    """
    from afina.backbones.backbone import load_backbone

    return load_backbone(name)


def load_lm(
    name: str, *, base_url: str | None = None, key: str | None = None, prices: Path | None = None
) -> "LM":
    """A language model: ``openai:NAME`` at an endpoint, or a decoder or encoder-decoder here.

    Raises:
        ModelError: there is none of this name, or it writes nothing.
        InputError: the endpoint, its key or the table of prices cannot be used.
    """
    if not is_remote(name):
        return local_lm(load_model(name))
    from afina.lm.endpoint import endpoint_from

    given = {"OPENAI_BASE_URL": base_url or "", "OPENAI_API_KEY": key or ""}
    return remote_lm(name, endpoint_from(given), prices)


def local_lm(backbone: "Backbone") -> "LM":
    """A loaded backbone as a language model.

    Raises:
        ModelError: it writes nothing.
    """
    from afina.backbones.local_lm import LocalLM

    return LocalLM(backbone)


def remote_lm(name: str, endpoint: "Endpoint", prices: Path | None = None) -> "LM":
    """A model at an endpoint, by ``provider:name``.

    Raises:
        ModelError: no name stands behind the provider.
        InputError: the table of prices cannot be read.
    """
    from afina.lm.connection import Connection
    from afina.lm.prices import read_prices
    from afina.lm.remote import KINDS, RemoteLM

    provider, _, own = name.partition(":")
    if not own:
        raise ModelError(f"expected a model such as {provider}:NAME, got {name!r}")
    table = {} if prices is None else read_prices(prices)
    return RemoteLM(own, Connection(endpoint), kind=KINDS[provider], price=table.get(own))


def is_remote(name: str) -> bool:
    """Whether a model answers at an endpoint.

    >>> is_remote("openai:some-model"), is_remote("builtin:minilm")
    (True, False)
    """
    return name.partition(":")[0] in REMOTE


@dataclass(frozen=True)
class Models:
    """Where models come from, and what the calls of language models go through."""

    load: "Callable[[str], Backbone]" = load_model
    remote: "Callable[[str], LM]" = load_lm  # by the whole name: openai:NAME
    journal: Journal | None = None
    budget: Budget = UNLIMITED

    def once(self) -> "Models":
        """The same, each model loaded once."""
        return replace(self, load=cache(self.load), remote=cache(self.remote))

    def check(self, name: str) -> None:
        """Load a model, or see that its endpoint can be asked; raises what loading raises."""
        if is_remote(name):
            self.remote(name)
        else:
            self.load(name)

    def lm(self, name: str, run: str = "") -> "LM":
        """A language model whose calls are noted under a run's name."""
        found = self.remote(name) if is_remote(name) else local_lm(self.load(name))
        if self.journal is None:
            return found
        return Journaled(found, self.journal, self.budget, run=run)
