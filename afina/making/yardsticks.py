"""The yardsticks: what a prompt is measured by, below and above."""

from typing import TYPE_CHECKING

from afina.job import Job, Made
from afina.making.kept import checkpoints, curve
from afina.method_settings import read_settings

if TYPE_CHECKING:
    from afina.training.full_run import FullSettings


def majority(job: Job) -> Made:
    from afina.yardsticks.majority import most_common

    return Made(most_common(job.task))


def linear_probe(job: Job) -> Made:
    from afina.training.linear_probe import probe

    solver, strength = probe(job.task, job.backbone())
    return Made(solver, {"strength": strength})


def full_fine_tuning(job: Job) -> Made:
    from afina.backbones.backbone import load_backbone
    from afina.training.full_run import fine_tune

    settings: FullSettings = read_settings("full-fine-tuning", job.settings, job.seed)
    own = load_backbone(job.model)  # its weights will move, so it is nobody else's
    keeper = checkpoints(job, own)
    solver, outcome = fine_tune(job.task, own, settings, keeper=keeper, watch=job.watch)
    return Made(solver, curve(outcome))
