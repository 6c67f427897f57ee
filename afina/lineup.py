"""A lineup: all that decides a comparison, and the runs it is made of."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from afina.errors import ArtefactError, InputError
from afina.method_settings import EXAMPLES
from afina.methods import SEEDED, WITHOUT_MODEL
from afina.store.order import Order
from afina.store.run import plain
from afina.task.task import Task
from afina.tuning import checked


@dataclass(frozen=True)
class Lineup:
    """Methods on models, each with so many seeds, on parts of train of these sizes (0: all).

    ``settings`` are by method. The largest size makes the rows, the others make curves.
    """

    task: str  # a folder or a Hub name
    methods: tuple[str, ...]
    models: tuple[str, ...]
    seeds: int = 1
    sizes: tuple[int, ...] = (0,)
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The lineup as plain JSON."""
        return {**asdict(self), "settings": {k: dict(v) for k, v in self.settings.items()}}

    @classmethod
    def from_json(cls, data: object) -> "Lineup":
        """The lineup that ``to_json`` gave; raises ArtefactError where it is damaged."""
        match data:
            case {
                "task": str(task),
                "methods": [*methods],
                "models": [*models],
                "seeds": int(seeds),
                "sizes": [*sizes],
                "settings": dict(settings),
            }:
                return cls(task, tuple(methods), tuple(models), seeds, tuple(sizes), settings)
        raise ArtefactError("expected a lineup as JSON, came another shape; compare anew")


@dataclass(frozen=True)
class Contender:
    """A method on a model at one size: an order a seed."""

    method: str
    model: str
    size: int
    orders: tuple[Order, ...]


def check_lineup(lineup: Lineup) -> None:
    """Refuse what cannot be compared.

    Raises:
        InputError: no method or model, one named twice, or a number that is none.
    """
    for noun, names in (("methods", lineup.methods), ("models", lineup.models)):
        if not names or len(set(names)) < len(names):
            got = ", ".join(names) or "none"
            raise InputError(f"expected {noun}, each named once, got {got}")
    if lineup.seeds < 1:
        raise InputError(f"expected 1 seed or more, got {lineup.seeds}")
    sizes = lineup.sizes
    if not sizes or len(set(sizes)) < len(sizes) or min(sizes) < 0:
        raise InputError(
            f"expected sizes such as 16,64,256,all, each once, got {', '.join(map(str, sizes))}"
        )


def contenders(
    lineup: Lineup, size: int, left_out: Collection[tuple[str, str]] = ()
) -> list[Contender]:
    """Every method on every model at a size; one that takes no model stands once.

    ``left_out`` are methods and the models that they do not fit; one that fits none keeps its
    place, so that its row says why.

    Raises:
        InputError: a method or a setting is unknown.
    """
    found = []
    for method in lineup.methods:
        fit = [model for model in lineup.models if (method, model) not in left_out]
        for model in ("",) if method in WITHOUT_MODEL else fit or lineup.models:
            given = {**lineup.settings.get(method, {}), **({EXAMPLES: size} if size else {})}
            first = checked(Order(lineup.task, method, model, 0, given))
            seeds = range(lineup.seeds if draws(method, size) else 1)
            orders = tuple(replace(first, seed=seed) for seed in seeds)
            found.append(Contender(method, first.model, size, orders))
    return found


def draws(method: str, size: int) -> bool:
    """Whether another seed gives another answer: by the method's draws, or by its examples."""
    return method in SEEDED or bool(size)


def drawn_by(method: str, size: int) -> str:
    """What a seed decides, in words."""
    causes = ["which examples of train are used"] if size else []
    if method == "few-shot":
        causes.append("which examples are shown")
    elif method in SEEDED:
        causes.append("the start and the order of the data")
    return " and ".join(causes)


def compared_name(task: Task, order: Order) -> str:
    """A run's name that its order and its data decide, so that a comparison finds it again."""
    content = json.dumps([asdict(replace(order, settings=dict(order.settings))), task.digest])
    return f"{plain(task.name, order.method)}-{digest(content)}-s{order.seed}"


def lineup_name(task: Task, lineup: Lineup) -> str:
    """A comparison's name, which the lineup and its data decide."""
    content = json.dumps([lineup.to_json(), task.digest])
    return f"{plain(task.name, 'comparison')}-{digest(content)}"


def digest(content: str) -> str:
    """Eight letters that tell a content from others."""
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def read_sizes(text: str | None) -> tuple[int, ...]:
    """Sizes as a command line gives them; ``all`` is 0.

    >>> read_sizes("16,64,all")
    (16, 64, 0)

    Raises:
        InputError: one is neither a whole number above 0 nor ``all``.
    """
    parts = [part.strip() for part in (text or "all").split(",")]
    for part in parts:
        if part != "all" and (not part.isascii() or not part.isdigit() or int(part) == 0):
            raise InputError(f"expected sizes such as 16,64,256,all, got {part!r}")
    return tuple(0 if part == "all" else int(part) for part in parts)


def in_order(sizes: Sequence[int]) -> list[int]:
    """Sizes from the fewest examples to all.

    >>> in_order([0, 64, 16])
    [16, 64, 0]
    """
    return sorted(sizes, key=lambda size: (size == 0, size))
