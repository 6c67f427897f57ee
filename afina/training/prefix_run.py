"""Prefix tuning and P-tuning v2 from a task to a solver: choose the sites, start, train."""

from dataclasses import dataclass, field

import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import KeyValues
from afina.errors import InputError
from afina.soft import prefix_init
from afina.soft.init import common_ids, ids_of
from afina.soft.learner import Learner
from afina.soft.prefix_tuning import FreeChange, NetworkChange, PrefixTuning
from afina.soft.site_choice import choose_places, choose_sites
from afina.solver import Packed
from afina.task.task import Task
from afina.training.answering import answer_kind, prepare
from afina.training.soft_run import Built
from afina.training.train import TrainSettings


@dataclass(frozen=True)
class PrefixSettings:
    """What prefix tuning trains, and from where."""

    length: int = 20  # keys and values in front of each site's own, 1 upward
    start: str = "vocabulary"  # random | text | vocabulary | zero | the folder of another run
    text: str = ""  # what start=text begins from; empty: the task's instruction
    places: str = "auto"  # all, or some of encoder,decoder,cross; auto: those the answer reads
    layers: str = "all"  # all | upper:3 | their numbers within a place: 0,1,5
    network: str = "mlp"  # none | mlp: what the keys and values are trained through
    hidden: int = 512  # width of the network
    answer: str = "auto"  # head | words | text; auto: what the model and the target suggest
    rate: float = 0.1  # learning rate of keys and values, in units of the site's own
    head_rate: float = 0.005  # learning rate of the head
    probe: float = 0.01  # strength (C) of the logistic regression the head starts from
    new_tokens: int = 64  # longest text written
    train: TrainSettings = field(default_factory=TrainSettings)


P_TUNING_V2 = PrefixSettings(start="random", network="none", answer="head")


def build_prefix(
    task: Task, backbone: Backbone, settings: PrefixSettings, other: Packed | None = None
) -> Built:
    """Keys and values in front of a model's own and the way it answers, ready to be trained.

    ``other`` is another prefix to start from, in place of ``start``.

    Raises:
        InputError: the settings do not fit the task or the model.
        ModelError: the model takes no keys and values, cannot answer in this way, or has no room.
    """
    prompt = make_prefix(task, backbone, settings, other)
    prepared = prepare(task, backbone, settings, prompt.injection())
    learner = Learner(backbone, prompt, prepared.answer, rates=(settings.rate, settings.head_rate))
    return Built(learner, prepared, settings.train)


def make_prefix(
    task: Task, backbone: Backbone, settings: PrefixSettings, other: Packed | None
) -> PrefixTuning:
    """The prefix before its first step."""
    sites = sites_for(task, backbone, settings)
    generator = torch.Generator().manual_seed(settings.train.seed)
    sizes = prefix_init.sizes_of(backbone)
    if settings.length < 1:
        raise InputError(f"expected a prefix of 1 place or more, got length {settings.length}")
    if other is None:
        start = start_for(task, backbone, settings, sizes, generator)
    else:
        start = prefix_init.from_prefix(backbone, other, settings.length, sites)
    start = prefix_init.at_sites(start, sites)
    change = change_for(backbone, settings, start, generator)
    return PrefixTuning(start, sizes[:, list(sites)], change)


def sites_for(task: Task, backbone: Backbone, settings: PrefixSettings) -> tuple[int, ...]:
    """The numbers of the sites where the prefix stands."""
    writes = answer_kind(task, backbone, settings) in ("words", "text")
    places = choose_places(backbone.sites(), settings.places, writes=writes)
    return choose_sites(backbone.sites(), places, settings.layers)


def start_for(
    task: Task,
    backbone: Backbone,
    settings: PrefixSettings,
    sizes: torch.Tensor,
    generator: torch.Generator,
) -> KeyValues:
    """The keys and values of all sites that a prefix starts from.

    Raises:
        InputError: the start is none of those known, or its text is empty.
    """
    frozen, length = backbone.frozen, settings.length
    match settings.start:
        case "random" | "zero":
            return prefix_init.from_chance(
                backbone, sizes, length, generator, values=settings.start == "random"
            )
        case "text":
            words = ids_of(frozen, settings.text or task.signature.instruction)
            return prefix_init.from_words(backbone, words, length)
        case "vocabulary":
            words = common_ids(frozen, length, generator)
            return prefix_init.from_words(backbone, words, length)
    starts = ", ".join(prefix_init.STARTS)
    raise InputError(f"expected start {starts} or a run, got {settings.start!r}")


def change_for(
    backbone: Backbone, settings: PrefixSettings, start: KeyValues, generator: torch.Generator
) -> FreeChange | NetworkChange:
    """What is trained.

    Raises:
        InputError: the network is none of those known.
    """
    sites, heads, length, size = start.keys.shape
    match settings.network:
        case "none":
            return FreeChange((sites, heads, length, size))
        case "mlp":
            return NetworkChange(
                (sites, heads, length, size),
                width=backbone.frozen.hidden,
                hidden=settings.hidden,
                generator=generator,
            )
    raise InputError(f"expected network none or mlp, got {settings.network!r}")
