"""What training keeps: checkpoints in the job's folder, and its curve."""

from typing import TYPE_CHECKING

from afina.disk import write_fault
from afina.job import Job

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.training.checkpoint import Checkpoints
    from afina.training.train import Outcome


def checkpoints(job: Job, backbone: "Backbone", stage: str = "checkpoints") -> "Checkpoints":
    """Where a run of a model keeps its checkpoints, or those of one of its stages."""
    from afina.training.checkpoint import Checkpoints

    folder = job.folder / stage
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_fault(folder, error, 0) from error
    return Checkpoints(folder, job.disk, weights=backbone.frozen.digest)


def curve(outcome: "Outcome") -> dict[str, object]:
    moment = outcome.moment
    return {
        "steps": moment.step,
        "steps_planned": outcome.steps,
        "best_step": moment.best_step,
        "losses": list(moment.losses),
        "scores": [list(each) for each in moment.scores],
    }
