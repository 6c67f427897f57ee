"""Pace: how long the frozen model takes for a row of a task, measured once."""

import time
from collections.abc import Callable
from itertools import islice

import torch

from afina.backbones.backbone import Backbone
from afina.hard.prompt import user_template
from afina.task.task import Task

ROWS = 32
ROUNDS = 2  # the best of them counts: the first one warms up


def row_seconds(
    backbone: Backbone, task: Task, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of a forward pass over one row of train, in batches, without a prompt."""
    template = user_template(task.signature)
    frozen = backbone.frozen
    room = frozen.positions - len(frozen.lead) - len(frozen.trail)
    rows = [frozen.encode(template.render(each.inputs))[:room] for each in islice(task.train, ROWS)]
    took = []
    for _ in range(ROUNDS):
        began = clock()
        with torch.no_grad():
            backbone.features(rows, [None] * len(rows))
        took.append(clock() - began)
    return min(took) / len(rows)
