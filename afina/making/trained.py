"""Trained prompts: built by their method, then trained alone or side by side."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from afina.errors import AfinaError, InputError
from afina.job import Job, Made
from afina.making.kept import checkpoints, curve
from afina.method_settings import read_settings
from afina.solver import Packed
from afina.task.signature import Choice
from afina.task.task import Task
from afina.training.watch import Watch

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.training.doctor import Diagnosis, Finding
    from afina.training.import_run import ImportSettings
    from afina.training.p_tuning_run import PTuningSettings
    from afina.training.prefix_run import PrefixSettings
    from afina.training.prompt_run import PromptTuningSettings
    from afina.training.soft_run import Built

Begins = TypeVar("Begins", "PromptTuningSettings", "PrefixSettings")


def build_prompt_tuning(job: Job, backbone: "Backbone") -> "Built":
    from afina.soft.init import STARTS
    from afina.training.prompt_run import build_prompt

    settings: PromptTuningSettings = read_settings("prompt-tuning", job.settings, job.seed)
    settings, other = begun(job, settings, STARTS)
    return build_prompt(job.task, backbone, settings, other)


def build_prefix_tuning(job: Job, backbone: "Backbone", method: str) -> "Built":
    from afina.soft.prefix_init import STARTS
    from afina.training.prefix_run import build_prefix

    settings: PrefixSettings = read_settings(method, job.settings, job.seed)
    settings, other = begun(job, settings, STARTS)
    return build_prefix(job.task, backbone, settings, other)


def begun(job: Job, settings: "Begins", starts: Collection[str]) -> "tuple[Begins, Packed | None]":
    """Settings with what another run gives to start from: its words, or its prompt as it is.

    Raises:
        InputError: its written prompt says nothing before a row that is the same for all.
    """
    if settings.start in starts:
        return settings, None
    packed = job.bundle(settings.start)
    if packed.kind != "prompt":
        return settings, packed
    from afina.hard.prompt import Prompt

    text = Prompt.from_json(packed.settings["prompt"]).front
    return replace(settings, start="text", text=text), None


def build_p_tuning(job: Job, backbone: "Backbone") -> "Built":
    from afina.soft.init import STARTS
    from afina.training.p_tuning_run import build_p

    settings: PTuningSettings = read_settings("p-tuning", job.settings, job.seed)
    other = None if settings.start in STARTS else job.bundle(settings.start)
    return build_p(job.task, backbone, settings, other)


BUILDERS: "dict[str, Callable[[Job, Backbone], Built]]" = {
    "prompt-tuning": build_prompt_tuning,
    "p-tuning": build_p_tuning,
    "prefix-tuning": partial(build_prefix_tuning, method="prefix-tuning"),
    "p-tuning-v2": partial(build_prefix_tuning, method="p-tuning-v2"),
}


def soft(job: Job, build: "Callable[[Job, Backbone], Built]") -> Made:
    """Train one soft prompt.

    Raises:
        AfinaError: the loss is no finite number, or the frozen weights changed.
    """
    (made,) = together([job], build)
    if isinstance(made, AfinaError):
        raise made
    return made


def together(
    jobs: Sequence[Job], build: "Callable[[Job, Backbone], Built]"
) -> list[Made | AfinaError]:
    """Train soft prompts of one task and model by one pass a step; state lies with the first.

    One whose loss is no finite number gives its error, and the others go on.

    Raises:
        AfinaError: the frozen weights changed.
    """
    from afina.backbones.frozen import digest_of
    from afina.training.doctor import answers, look
    from afina.training.soft_run import tune_together

    first = jobs[0]
    backbone = first.backbone()
    before = backbone.frozen.digest
    builts = [build(job, backbone) for job in jobs]
    warn(first.watch, look(builts[0]))
    tuned = tune_together(
        first.task,
        builts,
        keeper=checkpoints(first, backbone),
        watch=first.watch,
    )
    if digest_of(backbone.frozen.model) != before:
        raise AfinaError("the frozen weights changed while tuning; the prompt is not kept")
    if isinstance(first.task.signature.target.type, Choice):
        warn(first.watch, [answers(first.task, solver) for solver, _ in tuned])
    return [
        AfinaError(outcome.failure) if outcome.failure else Made(solver, curve(outcome))
        for solver, outcome in tuned
    ]


def warn(watch: Watch, findings: "Iterable[Finding]") -> None:
    """Tell of what the doctor found wanting."""
    for finding in findings:
        if not finding.fine:
            watch.note(f"{finding.name}: {finding.text}")


def examine(job: Job, method: str) -> "Diagnosis":
    """What the doctor says of a method on a task and a model; nothing is kept.

    Raises:
        InputError: the method trains no soft prompt.
    """
    if method not in BUILDERS:
        raise InputError(
            f"expected a method that trains a soft prompt, got {method!r}; "
            f"there are {', '.join(BUILDERS)}"
        )
    from afina.training import doctor

    def build(task: Task, rate: float | None) -> "Built":
        settings = job.settings if rate is None else {**job.settings, "rate": rate}
        return BUILDERS[method](replace(job, task=task, settings=settings), backbone)

    backbone = job.backbone()
    return doctor.examine(job.task, build)


def imported(job: Job) -> Made:
    """A prompt that PEFT trained, with an answer of ours."""
    from afina.training.import_run import import_prompt

    settings: ImportSettings = read_settings("imported", job.settings, job.seed)
    return Made(import_prompt(job.task, job.backbone(), settings))
