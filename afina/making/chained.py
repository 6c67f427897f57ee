"""Routes in a chain: what one route found, another starts from."""

from dataclasses import replace
from typing import TYPE_CHECKING

from afina.errors import AfinaError, InputError
from afina.job import Job, Made
from afina.making.kept import checkpoints, curve
from afina.making.written import few_shot, zero_shot
from afina.method_settings import read_settings

if TYPE_CHECKING:
    from afina.hard.prompt_solver import PromptSolver
    from afina.training.distill_run import DistillSettings
    from afina.training.read_back import ReadBackSettings

DISTILL = "distill"
READ_BACK = "read-back"
TEACHERS = {"zero-shot": zero_shot, "few-shot": few_shot}


def distill(job: Job) -> Made:
    """Train a few vectors under which the model says what it says under a written prompt.

    Raises:
        InputError: there is no such teacher, or it teaches nothing.
        AfinaError: the frozen weights changed.
    """
    from afina.backbones.frozen import digest_of
    from afina.training.distill_run import taught_by, tokens_saved, tune_distilled

    settings: DistillSettings = read_settings(DISTILL, job.settings, job.seed)
    backbone = job.backbone()
    before = backbone.frozen.digest
    written = teacher(job, settings.teacher)
    taught = taught_by(written, job.task, backbone, most=settings.new_tokens)
    keeper = checkpoints(job, backbone)
    solver, outcome = tune_distilled(taught, backbone, settings, keeper=keeper, watch=job.watch)
    if digest_of(backbone.frozen.model) != before:
        raise AfinaError("the frozen weights changed while tuning; the prompt is not kept")
    return Made(solver, {**curve(outcome), **tokens_saved(solver, taught)})


def teacher(job: Job, name: str) -> "PromptSolver":
    """The written prompt of a method, made now, or of a run.

    Raises:
        InputError: the run has no written prompt, or one that is not the model's alone.
        MismatchError: it was measured on other weights.
    """
    from afina.hard.prompt_solver import PromptSolver, unpack_prompt

    if name in TEACHERS:
        made = TEACHERS[name](replace(job, settings={})).solver
        assert isinstance(made, PromptSolver)
        return made
    packed = job.bundle(name)
    if packed.kind != "prompt":
        raise InputError(
            f"expected as teacher {' or '.join(TEACHERS)}, or a run with a written prompt, got "
            f"{name!r}, which is of kind {packed.kind!r}"
        )
    return unpack_prompt(packed, job.lm(), job.embedding)


def read_back(job: Job) -> Made:
    """Put a soft prompt into words, and keep those that score best.

    Raises:
        InputError: there is no soft prompt.
        MismatchError: it was tuned on other weights.
    """
    from afina.soft.soft_solver import unpack
    from afina.training import read_back as reading

    settings: ReadBackSettings = read_settings(READ_BACK, job.settings, job.seed)
    packed = job.bundle(settings.start)
    if packed.kind != "soft":
        raise InputError(
            f"expected start=RUN, the folder of a run with a soft prompt, got {settings.start!r}, "
            f"which is of kind {packed.kind!r}"
        )
    solver, tried = reading.read_back(
        job.task, unpack(packed, job.backbone()), job.lm(), settings, model=job.model
    )
    return Made(solver, {"tried": [vars(each) for each in tried]})
