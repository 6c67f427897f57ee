"""The score on dev that training is steered by."""

import torch

from afina.soft.answer import HeadAnswer
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Reader
from afina.soft.soft_solver import make_solver
from afina.training.scoring import dev_score
from tests.tiny import shared
from tests.training.tiny_task import review_task


def test_the_score_is_the_metric_s_over_all_dev_rows() -> None:
    """A head that always says positive is right as often as dev is; broken by scoring train."""
    backbone, task = shared("bert"), review_task(train=8, dev=5)
    head = ClassificationHead(torch.zeros(2, 32), torch.tensor([1.0, 0.0]))
    reader = Reader(backbone.frozen, task.signature, 60)
    answer = HeadAnswer(head, ("positive", "negative"))
    solver = make_solver(backbone, reader, prompt=None, answer=answer)
    positive = [example.outputs["sentiment"] for example in task.dev].count("positive")
    assert positive == 3
    assert dev_score(solver, task) == positive / 5
