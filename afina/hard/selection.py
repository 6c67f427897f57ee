"""Examples chosen anew for each row: the pool they come from, how they are chosen, how many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from afina.errors import ArtefactError, InputError, MismatchError
from afina.hard.demonstrations import SAME_FOR_ALL, SELECTORS, Aids, Select
from afina.hard.prompt import example_of, example_to_json
from afina.retrieval.dense import unit_vectors
from afina.retrieval.embedding import Embedding, Vectors
from afina.solver import Values
from afina.task.example import Example
from afina.task.signature import Signature

BY_VECTORS = ("nearest", "mmr")
Load = Callable[[str], Embedding]  # a model by its name


def no_vectors() -> Vectors:
    """Vectors of nothing, [0, 0]."""
    return np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class FewShotSettings:
    """Which examples a prompt shows, and how many."""

    shots: int = 8  # examples
    select: str = "balanced"  # random, balanced, length, nearest, mmr or overlap
    vectors: str = "builtin:minilm"  # the model of the vectors that nearest and mmr compare
    room: int = 2000  # characters of a row and its examples together, which length keeps to


@dataclass(frozen=True)
class Selection:
    """A pool of examples, and the choice of some for each row.

    ``vectors`` are the pool's, [N, H], made by ``embedding``; there are none where the choice needs
    none. Two selections are equal where they choose the same.
    """

    signature: Signature
    settings: FewShotSettings
    seed: int
    pool: tuple[Example, ...] = field(repr=False)
    embedding: Embedding | None = field(default=None, repr=False, compare=False)
    vectors: Vectors = field(default_factory=no_vectors, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        signature: Signature,
        pool: Sequence[Example],
        settings: FewShotSettings,
        *,
        seed: int,
        load: Load,
    ) -> "Selection":
        """A selection by its settings; the pool's vectors are made where they are needed.

        Raises:
            InputError: there is no such selector.
            ModelError: the model of the vectors is not there, or gives none.
            CallError: the endpoint of the model has no answer.
        """
        if settings.select not in SELECTORS:
            raise InputError(
                f"expected select out of {', '.join(SELECTORS)}, got {settings.select!r}"
            )
        chosen = cls(signature, settings, seed, tuple(pool))
        if settings.select not in BY_VECTORS or not pool:
            return chosen
        embedding = load(settings.vectors)
        return replace(
            chosen, embedding=embedding, vectors=unit_vectors(embedding, list(chosen.texts))
        )

    def __call__(self, rows: Sequence[Values]) -> list[tuple[Example, ...]]:
        """The examples that each row is shown, the most like it last.

        Raises:
            InputError: a row lacks an input.
            CallError: the endpoint of the vectors has no answer.
            MismatchError: its vectors have another width now.
        """
        if not self.pool:
            return [()] * len(rows)
        choose = self.choose if self.embedding is None else self.by_vectors(self.embedding, rows)
        return [choose(row, self.settings.shots) for row in rows]

    @property
    def same_for_all(self) -> tuple[Example, ...] | None:
        """The examples, where every row is shown the same."""
        if self.settings.select not in SAME_FOR_ALL:
            return None
        return self.choose({}, self.settings.shots)

    @cached_property
    def aids(self) -> Aids:
        """What choosing needs, but for vectors."""
        return Aids(self.signature, self.seed, self.settings.room)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The inputs of the pool's examples."""
        return tuple(self.aids.text(each.inputs) for each in self.pool)

    @cached_property
    def choose(self) -> Select:
        """The choice for a row, where it needs no vectors."""
        return SELECTORS[self.settings.select](self.pool, self.aids)

    def by_vectors(self, embedding: Embedding, rows: Sequence[Values]) -> Select:
        """The choice for one of these rows, whose vectors are made together."""
        texts = [self.aids.text(row) for row in rows]
        made = unit_vectors(embedding, texts)
        if rows and made.shape[1] != self.vectors.shape[1]:
            raise MismatchError(
                f"expected vectors of {self.vectors.shape[1]} numbers, as the examples have, came "
                f"{made.shape[1]} of {embedding.name!r}; is it another model now? tune anew"
            )
        known = dict(zip(texts, made, strict=True))

        def look_up(asked: Sequence[str]) -> Vectors:
            if tuple(asked) == self.texts:
                return self.vectors
            return np.stack([known[text] for text in asked])

        return SELECTORS[self.settings.select](self.pool, replace(self.aids, vectors=look_up))

    def to_json(self) -> dict[str, object]:
        """All but the vectors as plain JSON."""
        return {
            "settings": asdict(self.settings),
            "seed": self.seed,
            "digest": "" if self.embedding is None else self.embedding.digest,
            "pool": [example_to_json(each) for each in self.pool],
        }


def read_selection(
    data: object, signature: Signature, arrays: Mapping[str, NDArray[np.float32]], load: Load
) -> Selection:
    """The selection that ``to_json`` gave, with the pool's vectors among ``arrays``.

    Raises:
        ArtefactError: it is damaged.
        MismatchError: the model of the vectors has other weights now.
    """
    match data:
        case {
            "settings": dict(given),
            "seed": int(seed),
            "digest": str(digest),
            "pool": list(shown),
        }:
            try:
                settings = TypeAdapter(FewShotSettings).validate_python(given)
                pool = tuple(example_of(each, signature) for each in shown)
                if settings.select not in SELECTORS:
                    raise ValueError(f"there is no selector {settings.select!r}")
            except (ValueError, InputError) as error:
                raise ArtefactError(f"the examples cannot be read: {error}") from error
            selection = Selection(signature, settings, seed, pool)
            return with_vectors(selection, digest, arrays, load) if digest else selection
    raise ArtefactError("expected a bundle with examples to choose from; tune it anew")


def with_vectors(
    selection: Selection, digest: str, arrays: Mapping[str, NDArray[np.float32]], load: Load
) -> Selection:
    """The selection with the model and the vectors that were kept."""
    name, vectors = selection.settings.vectors, arrays.get("vectors", no_vectors())
    if vectors.ndim != 2 or len(vectors) != len(selection.pool):
        raise ArtefactError(
            f"expected a vector for each of {len(selection.pool)} examples, came an array of shape "
            f"{vectors.shape}; tune it anew"
        )
    embedding = load(name)
    if embedding.digest != digest:
        raise MismatchError(
            f"the examples are chosen by vectors of {name!r}, but the weights of that name are "
            "others now; load the model it was, or tune anew"
        )
    return replace(selection, embedding=embedding, vectors=vectors)
