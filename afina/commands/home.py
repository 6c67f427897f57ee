"""What commands find in the folder where runs are kept: the store, the journal, the models."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from afina.errors import InputError

if TYPE_CHECKING:
    from afina.lm.endpoint import Endpoint
    from afina.lm.journal import Journal
    from afina.lm.lm import LM
    from afina.models import Models
    from afina.store.store import Store


def store_at(home: Path) -> "Store":
    from afina.store.store import Store

    return Store(home.absolute())


def store_there(home: Path) -> "Store":
    """The store in a folder that has one.

    Raises:
        InputError: it has none; nothing is made there.
    """
    if not (home / "store.db").is_file():
        raise InputError(f"no runs are kept in {home}; name another --home, or tune a prompt first")
    return store_at(home)


def journal_at(path: Path) -> "Journal":
    from afina.lm.journal import Journal

    return Journal(path.absolute())


def models_at(home: Path, budget: str | None = None) -> "Models":
    """Models as the environment names their endpoint; calls go through the home's journal."""
    from afina.lm.budget import UNLIMITED, read_budget
    from afina.models import Models, load_lm, remote_embedding, remote_lm

    table = home / "prices.toml"
    prices = table if table.is_file() else None

    def speaker(name: str) -> "LM":
        if name.startswith("scripted:"):
            return load_lm(name)
        return remote_lm(name, endpoint_here(), prices)

    return Models(
        speaker=speaker,
        embedder=lambda name: remote_embedding(name, endpoint_here(), prices),
        journal=journal_at(home / "journal.sqlite"),
        budget=UNLIMITED if budget is None else read_budget(budget),
    )


def model_for(named: str | None, method: str, task: str) -> str:
    """The model that was named, or the built-in one that a method takes for a task."""
    from afina.methods import usual_model
    from afina.task.task import load_task

    return named or usual_model(method, load_task(task).signature.target.type)


def endpoint_here() -> "Endpoint":
    """The endpoint that the environment names, with its key."""
    from afina.lm.endpoint import endpoint_from

    key = os.environ.get("AFINA_KEY_FILE")
    return endpoint_from(os.environ, Path(key) if key else None)
