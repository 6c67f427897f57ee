"""The yardstick beside: a head fitted to the frozen model's own features, no prompt.

Labels and tags by logistic regression, numbers by ridge regression, spans by L-BFGS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injection
from afina.soft.reading import Read, Reading
from afina.soft.soft_solver import SoftSolver, batches_by_length, make_solver
from afina.solver import Value
from afina.task.task import Task
from afina.training.head_fit import Headed, fitter, read_task

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # scikit-learn's C


@dataclass(frozen=True)
class Fitted:
    """A head, its strength and its score on dev."""

    answer: Headed
    strength: float
    score: float


def probe(task: Task, backbone: Backbone) -> tuple[SoftSolver, float]:
    """The probe whose strength does best on dev, and that strength.

    A fair yardstick is tuned too: prompt tuning chooses its stopping point on dev.

    Raises:
        InputError: no head answers such a target, or the examples do not fit it.
    """
    frozen = backbone.frozen
    room = frozen.positions - len(frozen.lead) - len(frozen.trail)
    reader, rows = read_task(task, frozen, room)
    best = fit_on_dev(task, backbone, reader, rows, None)
    return make_solver(backbone, reader, prompt=None, answer=best.answer), best.strength


def fit_on_dev(
    task: Task, backbone: Backbone, reader: Reading, rows: Sequence[Read], prompt: Injection | None
) -> Fitted:
    """The head on the features under a prompt, or under none, of the strength that dev prefers."""
    target = task.signature.target
    fit = fitter(target.type, backbone, rows, prompt)
    heads = [fit(strength) for strength in STRENGTHS]
    answers = answers_of(heads, backbone, [reader.read(each.inputs) for each in task.dev], prompt)
    wanted = [example.outputs[target.name] for example in task.dev]
    scores = [task.metric.score(each, wanted) for each in answers]
    best = scores.index(max(scores))
    return Fitted(heads[best], STRENGTHS[best], scores[best])


def answers_of(
    heads: Sequence[Headed], backbone: Backbone, rows: Sequence[Read], prompt: Injection | None
) -> list[list[Value]]:
    """What heads of one kind answer to rows that the model reads once for all of them."""
    found: list[list[Value]] = [[""] * len(rows) for _ in heads]
    with torch.no_grad():
        for places in batches_by_length(rows):
            batch = [rows[place] for place in places]
            gathered = heads[0].gather(backbone, batch, [prompt] * len(batch)).cpu()
            for head, values in zip(heads, found, strict=True):
                for place, (value, _) in zip(places, head.decide(gathered, batch), strict=True):
                    values[place] = value
    return found
