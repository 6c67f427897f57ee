"""Every method by its name: from a job to a solver; what one needs is imported when it runs."""

import difflib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from afina.disk import Disk
from afina.errors import AfinaError, ArtefactError, InputError
from afina.solver import Packed, Solver
from afina.task.task import Task
from afina.training.watch import Watch

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.training.checkpoint import Checkpoints
    from afina.training.train import Outcome

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Job:
    """What a method is given: a task without its test rows, a model, and where to keep its state.

    ``backbone`` loads the model, or hands out the one already loaded; ``bundle`` reads what another
    run has kept.
    """

    task: Task
    model: str
    backbone: "Callable[[], Backbone]"
    bundle: Callable[[str], Packed]
    folder: Path
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    disk: Disk = field(default_factory=Disk)


@dataclass(frozen=True)
class Made:
    """A solver, and what is to be remembered of its making (plain JSON)."""

    solver: Solver
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class FewShotSettings:
    """How many examples a prompt shows."""

    shots: int = 8  # examples, one label after the other


@dataclass(frozen=True)
class NoSettings:
    """A method without settings."""


def majority(job: Job) -> Made:
    from afina.yardsticks.majority import most_common

    read_settings(NoSettings(), job)
    return Made(most_common(job.task))


def linear_probe(job: Job) -> Made:
    from afina.training.linear_probe import probe

    read_settings(NoSettings(), job)
    solver, strength = probe(job.task, job.backbone())
    return Made(solver, {"strength": strength})


def full_fine_tuning(job: Job) -> Made:
    from afina.backbones.backbone import load_backbone
    from afina.training.full_run import FullSettings, fine_tune

    settings = read_settings(FullSettings(), job)
    own = load_backbone(job.model)  # its weights will move, so it is nobody else's
    solver, outcome = fine_tune(job.task, own, settings, keeper=checkpoints(job), watch=job.watch)
    return Made(solver, curve(outcome))


def zero_shot(job: Job) -> Made:
    read_settings(NoSettings(), job)
    return written(job, shots=0)


def few_shot(job: Job) -> Made:
    return written(job, shots=read_settings(FewShotSettings(), job).shots)


def written(job: Job, *, shots: int) -> Made:
    """An instruction and examples chosen by the seed, the labels in turn."""
    from afina.hard.prompt import Prompt, choose_demonstrations
    from afina.hard.written_solver import make_solver

    order = list(range(len(job.task.train)))
    random.Random(job.seed).shuffle(order)
    chosen = choose_demonstrations(job.task.train, job.task.signature, count=shots, order=order)
    prompt = Prompt(job.task.signature, chosen)
    return Made(make_solver(prompt, job.backbone(), job.task.words))


def prompt_tuning(job: Job) -> Made:
    from afina.backbones.frozen import digest_of
    from afina.soft.init import STARTS
    from afina.training.prompt_run import PromptTuningSettings, tune_prompt

    settings = read_settings(PromptTuningSettings(), job)
    backbone = job.backbone()
    before = backbone.frozen.digest
    solver, outcome = tune_prompt(
        job.task,
        backbone,
        settings,
        keeper=checkpoints(job),
        watch=job.watch,
        other=None if settings.start in STARTS else job.bundle(settings.start),
    )
    if digest_of(backbone.frozen.model) != before:
        raise AfinaError("the frozen weights changed while tuning; the prompt is not kept")
    return Made(solver, curve(outcome))


METHODS: dict[str, Callable[[Job], Made]] = {
    "majority": majority,
    "linear-probe": linear_probe,
    "zero-shot": zero_shot,
    "few-shot": few_shot,
    "prompt-tuning": prompt_tuning,
    "full-fine-tuning": full_fine_tuning,
}
SEEDED = {"few-shot", "prompt-tuning", "full-fine-tuning"}  # the others give one answer


def method_named(name: str) -> Callable[[Job], Made]:
    """The method of this name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METHODS)}"
    raise InputError(f"expected a method's name, got {name!r}; {hint}")


def load_model(name: str) -> "Backbone":
    """Load and freeze a model by its name."""
    from afina.backbones.backbone import load_backbone

    return load_backbone(name)


def restore(packed: Packed, load: "Callable[[str], Backbone]" = load_model) -> Solver:
    """The solver that was packed; its model is loaded by the name it was tuned under.

    Raises:
        ArtefactError: what is packed is damaged or of a kind this version does not know.
        MismatchError: the model of that name has other weights now.
    """
    match packed.kind:
        case "majority":
            from afina.yardsticks.majority import unpack_majority

            return unpack_majority(packed)
        case "written":
            from afina.hard.written_solver import unpack_written

            return unpack_written(packed, load(model_of(packed)))
        case "soft":
            from afina.soft.soft_solver import unpack

            return unpack(packed, load(model_of(packed)))
        case "whole":
            from afina.training.full_run import unpack_whole

            return unpack_whole(packed, load_model(model_of(packed)))
    raise ArtefactError(f"expected a bundle of a known kind, got {packed.kind!r}; update afina")


def model_of(packed: Packed) -> str:
    """The name of the model a packed solver was tuned on."""
    name = packed.settings.get("model")
    if not isinstance(name, str):
        raise ArtefactError(f"the bundle names no model, but {name!r}; tune it anew")
    return name


def read_settings(default: Settings, job: Job) -> Settings:
    """The job's settings laid over a method's defaults; those of the training loop by name too.

    Raises:
        InputError: a name is unknown, or a value is of the wrong type.
    """
    assert is_dataclass(default)
    assert not isinstance(default, type)
    train = getattr(default, "train", None)
    own = {each.name for each in fields(default)} - {"train"}
    loop = set() if train is None else {each.name for each in fields(train)} - {"seed"}
    for name in job.settings:
        if name not in own | loop:
            near = difflib.get_close_matches(name, own | loop, n=1)
            known = ", ".join(sorted(own | loop)) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {known}"
            raise InputError(f"expected a setting of the method, got {name!r}; {hint}")
    mine = overlay(default, {k: v for k, v in job.settings.items() if k in own})
    if train is None:
        return mine
    trained = overlay(train, {k: v for k, v in job.settings.items() if k in loop})
    return replace(mine, train=replace(trained, seed=job.seed))


def overlay(default: Settings, given: Mapping[str, object]) -> Settings:
    """Given values in place of defaults, each as the field's type; text such as "20" is read."""
    kind: Any = type(default)  # the class is only known here
    values = {each.name: getattr(default, each.name) for each in fields(kind)}
    try:
        made: Settings = TypeAdapter(kind).validate_python({**values, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"setting {'.'.join(map(str, first['loc']))}: expected "
            f"{first['msg'].removeprefix('Input should be ')}, got {first['input']!r}"
        ) from error
    return made


def checkpoints(job: Job) -> "Checkpoints":
    from afina.training.checkpoint import Checkpoints

    folder = job.folder / "checkpoints"
    folder.mkdir(exist_ok=True)
    return Checkpoints(folder, job.disk)


def curve(outcome: "Outcome") -> dict[str, object]:
    moment = outcome.moment
    return {
        "steps": moment.step,
        "steps_planned": outcome.steps,
        "best_step": moment.best_step,
        "losses": list(moment.losses),
        "scores": [list(each) for each in moment.scores],
    }
