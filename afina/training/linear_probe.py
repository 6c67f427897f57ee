"""The yardstick beside: logistic regression on the frozen model's own features, no prompt."""

import torch

from afina.backbones.backbone import Backbone
from afina.soft.answer import HeadAnswer
from afina.soft.heads import fit_probe
from afina.soft.reading import Reader, labelled_rows, labels_of
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.task.task import Task
from afina.training.features import features_of

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # scikit-learn's C


def probe(task: Task, backbone: Backbone) -> tuple[SoftSolver, float]:
    """The probe whose strength does best on dev, and that strength.

    A fair yardstick is tuned too: prompt tuning chooses its stopping point on dev.

    Raises:
        InputError: the target is no choice of labels.
    """
    frozen, labels = backbone.frozen, labels_of(task.signature)
    room = frozen.positions - len(frozen.lead) - len(frozen.trail)
    reader = Reader(frozen, task.signature, room)
    rows = labelled_rows(task, reader, labels)
    features = features_of(backbone, rows, None)
    wanted = torch.tensor([row.label for row in rows])
    on_dev = features_of(backbone, [reader.read(each.inputs) for each in task.dev], None)
    best: tuple[float, float, HeadAnswer] | None = None
    for strength in STRENGTHS:
        head = fit_probe(features, wanted, classes=len(labels), strength=strength)
        places = head(on_dev).argmax(dim=-1).tolist()
        name = task.signature.target.name
        score = task.metric.score(
            [labels[place] for place in places], [each.outputs[name] for each in task.dev]
        )
        if best is None or score > best[0]:
            best = (score, strength, HeadAnswer(head, labels))
    assert best is not None
    return make_solver(backbone, reader, prompt=None, answer=best[2]), best[1]
