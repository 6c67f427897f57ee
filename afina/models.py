"""Models by their names: the backbone a prompt is trained on, the language model it is put to."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from afina.errors import ModelError
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.lm.embedding import RemoteEmbedding
    from afina.lm.endpoint import Endpoint
    from afina.lm.lm import LM
    from afina.retrieval.embedding import Embed, Embedding
    from afina.task.task import Task

SPEAKERS = ("openai", "openai-completions", "scripted")  # models without weights, by provider
REMOTE_VECTORS = "openai"  # the provider whose vectors are made at an endpoint


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

    ``scripted:FILE`` answers from a JSON object: the last turn's text, and what to say.

    Raises:
        ModelError: there is none of this name, or it writes nothing.
        InputError: the endpoint, its key or the table of prices cannot be used.
    """
    if not is_speaker(name):
        return local_lm(load_model(name))
    if name.startswith("scripted:"):
        return scripted_lm(name)
    from afina.lm.endpoint import endpoint_from

    given = {"OPENAI_BASE_URL": base_url or "", "OPENAI_API_KEY": key or ""}
    return remote_lm(name, endpoint_from(given), prices)


def row_seconds(backbone: "Backbone", task: "Task") -> float:
    """Seconds that a loaded model takes for a row of a task."""
    from afina.training.pace import row_seconds as measured

    return measured(backbone, task)


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


def load_embedding(
    name: str, *, base_url: str | None = None, key: str | None = None
) -> "Embedding":
    """A model of vectors: ``openai:NAME`` at an endpoint, or any backbone here.

    Raises:
        ModelError: there is none of this name.
        InputError: the endpoint or its key cannot be used.
    """
    if not has_remote_vectors(name):
        return local_embedding(load_model(name))
    from afina.lm.endpoint import endpoint_from

    given = {"OPENAI_BASE_URL": base_url or "", "OPENAI_API_KEY": key or ""}
    remote = remote_embedding(name, endpoint_from(given))
    return embedding_at(name, remote, remote)


def local_embedding(backbone: "Backbone") -> "Embedding":
    """A loaded backbone as a model of vectors."""
    from afina.training.embedding import embedding_of

    return embedding_of(backbone)


def remote_embedding(
    name: str, endpoint: "Endpoint", prices: Path | None = None
) -> "RemoteEmbedding":
    """A model of vectors at an endpoint, by ``openai:NAME``.

    Raises:
        ModelError: no name stands behind the provider.
        InputError: the table of prices cannot be read.
    """
    from afina.lm.connection import Connection
    from afina.lm.embedding import RemoteEmbedding
    from afina.lm.prices import read_prices

    own = name.partition(":")[2]
    if not own:
        raise ModelError(f"expected a model such as {REMOTE_VECTORS}:NAME, got {name!r}")
    table = {} if prices is None else read_prices(prices)
    return RemoteEmbedding(own, Connection(endpoint), price=table.get(own))


def embedding_at(name: str, remote: "RemoteEmbedding", embed: "Embed") -> "Embedding":
    """The vectors of a model at an endpoint, told from others by both; ``embed`` makes them."""
    from afina.retrieval.embedding import Embedding

    identity = json.dumps(dict(remote.identity), sort_keys=True)
    return Embedding(name, hashlib.sha256(identity.encode()).hexdigest(), embed)


def vectors_at_endpoint(name: str) -> "RemoteEmbedding":
    """A model of vectors at the usual endpoint, without a key.

    Raises:
        InputError: the endpoint wants a key.
    """
    from afina.lm.endpoint import endpoint_from

    return remote_embedding(name, endpoint_from({}))


def has_remote_vectors(name: str) -> bool:
    """Whether a model's vectors are made at an endpoint.

    >>> has_remote_vectors("openai:some-model"), has_remote_vectors("builtin:minilm")
    (True, False)
    """
    return name.partition(":")[0] == REMOTE_VECTORS


def scripted_lm(name: str) -> "LM":
    """Answers from a file: ``scripted:FILE``.

    Raises:
        ModelError: there is no such file, or it is no JSON object of texts.
    """
    path = Path(name.partition(":")[2])
    try:
        answers = TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(
            f"expected {path} to hold a JSON object of texts and answers, but it cannot be read "
            f"so: {error.__class__.__name__}"
        ) from error
    from afina.lm.scripted import ScriptedLM

    return ScriptedLM(answers, name=path.name)


def is_speaker(name: str) -> bool:
    """Whether a model has no weights here, and is only asked.

    >>> is_speaker("openai:some-model"), is_speaker("builtin:minilm")
    (True, False)
    """
    return name.partition(":")[0] in SPEAKERS


@dataclass(frozen=True)
class Models:
    """Where models come from, and what the calls of language models go through."""

    load: "Callable[[str], Backbone]" = load_model
    speaker: "Callable[[str], LM]" = load_lm  # by the whole name, of one without weights here
    embedder: "Callable[[str], RemoteEmbedding]" = vectors_at_endpoint  # by the whole name
    given: "Mapping[str, LM]" = field(default_factory=dict)  # made elsewhere, by name
    journal: Journal | None = None
    budget: Budget = UNLIMITED

    def once(self) -> "Models":
        """The same, each model loaded once."""
        return replace(self, load=cache(self.load), speaker=cache(self.speaker))

    def check(self, name: str) -> None:
        """Load a model, or see that its endpoint can be asked; raises what loading raises."""
        if is_speaker(name):
            self.speaker(name)
        elif name not in self.given:
            self.load(name)

    def embedding(self, name: str, run: str = "") -> "Embedding":
        """A model of vectors; calls of an endpoint are noted under a run's name."""
        if not has_remote_vectors(name):
            return local_embedding(self.load(name))
        from afina.lm.journaled_embedding import JournaledEmbedding

        remote = self.embedder(name)
        if self.journal is None:
            return embedding_at(name, remote, remote)
        journaled = JournaledEmbedding(remote, self.journal, self.budget, run=run)
        return embedding_at(name, remote, journaled)

    def row_seconds(self, name: str, task: "Task") -> float:
        """Seconds that a model whose weights are here takes for a row of a task."""
        return row_seconds(self.load(name), task)

    def identity(self, name: str) -> "Mapping[str, str]":
        """What tells a model's answers from those of another of its name: endpoint or weights."""
        if name in self.given or is_speaker(name):
            return self.lm(name).identity
        return {"digest": self.load(name).frozen.digest}

    def lm(self, name: str, run: str = "") -> "LM":
        """A language model whose calls are noted under a run's name."""
        if name in self.given:
            found = self.given[name]
        elif is_speaker(name):
            found = self.speaker(name)
        else:
            found = local_lm(self.load(name))
        if self.journal is None:
            return found
        return Journaled(found, self.journal, self.budget, run=run)
