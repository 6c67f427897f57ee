"""Multitask prompt tuning: the prompt that source tasks share, adapted to the task."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from afina.errors import AfinaError, InputError
from afina.job import Job, Made
from afina.making.kept import checkpoints, curve
from afina.method_settings import read_settings
from afina.task.pinned import named_tasks, pinned

if TYPE_CHECKING:
    from afina.training.multitask_run import MultitaskSettings

MULTITASK = "multitask-prompt-tuning"


def multitask_prompt_tuning(job: Job) -> Made:
    """Train the prompt that source tasks share, or take another run's, and adapt it to the task.

    Raises:
        InputError: there are neither sources nor a run to start from, or the target is a source.
        MismatchError: a source's data changed, or the run to start from is of another model.
        AfinaError: the frozen weights changed.
    """
    from afina.backbones.frozen import digest_of
    from afina.training import multitask_run

    settings: MultitaskSettings = read_settings(MULTITASK, job.settings, job.seed)
    one_origin(settings.source, settings.start)
    backbone = job.backbone()
    before = backbone.frozen.digest
    if settings.start:
        shared = multitask_run.shared_in(job.bundle(settings.start), backbone)
    else:
        sources = named_tasks(settings.source, job.source)
        multitask_run.check_sources(sources, job.task)
        shared = multitask_run.train_shared(
            sources,
            backbone,
            settings,
            keepers=lambda stage: checkpoints(job, backbone, stage),
            watch=job.watch,
        )
    keeper = checkpoints(job, backbone)
    solver, outcome = multitask_run.adapt(
        job.task, backbone, shared, settings, keeper=keeper, watch=job.watch
    )
    if digest_of(backbone.frozen.model) != before:
        raise AfinaError("the frozen weights changed while tuning; the prompt is not kept")
    return Made(solver, {**curve(outcome), **shared.facts})


def one_origin(source: str, start: str) -> None:
    """Refuse a shared prompt that comes from nowhere, or from two places.

    Raises:
        InputError: it does.
    """
    if bool(source.strip(", ")) == bool(start):
        raise InputError(
            f"expected source=A,B (tasks to learn a shared prompt from) or start=RUN (the folder "
            f"of a run that has one), got source {source!r} and start {start!r}; give one of them"
        )


def pinned_sources(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings whose sources are named with the digests of their data, which decide the result.

    Raises:
        InputError: there are neither sources nor a run to start from, or there are both.
        MismatchError: the data of one changed.
    """
    source = str(settings.get("source", ""))
    one_origin(source, str(settings.get("start", "")))
    return {**settings, "source": pinned(source)} if source else dict(settings)
