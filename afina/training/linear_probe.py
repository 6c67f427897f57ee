"""The yardstick beside: logistic regression on the frozen model's own features, no prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injection
from afina.soft.answer import HeadAnswer
from afina.soft.heads import fit_probe
from afina.soft.reading import Read, Reader, labelled_rows, labels_of
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.task.task import Task
from afina.training.features import features_of

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # scikit-learn's C


@dataclass(frozen=True)
class Fitted:
    """A head, its strength and its score on dev."""

    answer: HeadAnswer
    strength: float
    score: float


def probe(task: Task, backbone: Backbone) -> tuple[SoftSolver, float]:
    """The probe whose strength does best on dev, and that strength.

    A fair yardstick is tuned too: prompt tuning chooses its stopping point on dev.

    Raises:
        InputError: the target is no choice of labels.
    """
    frozen, labels = backbone.frozen, labels_of(task.signature)
    room = frozen.positions - len(frozen.lead) - len(frozen.trail)
    reader = Reader(frozen, task.signature, room)
    best = fit_on_dev(task, backbone, reader, labelled_rows(task, reader, labels), None)
    return make_solver(backbone, reader, prompt=None, answer=best.answer), best.strength


def fit_on_dev(
    task: Task, backbone: Backbone, reader: Reader, rows: Sequence[Read], prompt: Injection | None
) -> Fitted:
    """The head on the features under a prompt, or under none, of the strength that dev prefers."""
    labels, name = labels_of(task.signature), task.signature.target.name
    features = features_of(backbone, rows, prompt)
    label_places = torch.tensor([row.label for row in rows])
    on_dev = features_of(backbone, [reader.read(each.inputs) for each in task.dev], prompt)
    wanted = [example.outputs[name] for example in task.dev]
    best: Fitted | None = None
    for strength in STRENGTHS:
        head = fit_probe(features, label_places, classes=len(labels), strength=strength)
        got = [labels[place] for place in head(on_dev).argmax(dim=-1).tolist()]
        score = task.metric.score(got, wanted)
        if best is None or score > best.score:
            best = Fitted(HeadAnswer(head, labels), strength, score)
    assert best is not None
    return best
