"""A number off the features: the formula by hand, ridge regression beside scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from afina.soft.answer import Answer
from afina.soft.heads import ClassificationHead
from afina.soft.number_answer import NumberAnswer, Scale, fit_ridge, scale_of
from afina.soft.reading import Read
from tests.tiny import FAMILIES, shared

TEXTS = ["it was good", "a dull plot and a bad film", "no"]
NUMBERS = [3.5, -100.0, 12.0]


def answer_for(*, whole: bool = False) -> NumberAnswer:
    weight = torch.randn(1, 32, generator=torch.Generator().manual_seed(0))
    head = ClassificationHead(weight, torch.tensor([0.5]))
    return NumberAnswer(head, Scale(40.0, 20.0, whole))


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_answer_are_those_of_the_formula(family: str) -> None:
    """Broken by a loss on numbers that are not standardised."""
    backbone, answer = shared(family), answer_for()
    encode = backbone.frozen.encode
    rows = [Read(encode(text), number=number) for text, number in zip(TEXTS, NUMBERS, strict=True)]
    with torch.no_grad():
        features = backbone.features([row.tokens for row in rows], [None] * 3)
        loss = float(answer.loss(answer.gather(backbone, rows, [None] * 3), rows))
        found = [value for value, _ in answer.answer(backbone, rows, [None] * 3)]
    plain = (features @ answer.head.weight[0] + 0.5).detach().numpy()
    assert loss == pytest.approx(np.mean((plain - (np.array(NUMBERS) - 40) / 20) ** 2), rel=1e-5)
    assert found == pytest.approx(list(plain * 20 + 40), abs=1e-4)
    whole = answer_for(whole=True).answer(backbone, rows, [None] * 3)
    assert [value for value, _ in whole] == [round(float(value)) for value in found]
    assert all(type(value) is int for value, _ in whole)


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_ridge_equals_scikit_learn_s(strength: float) -> None:
    """Broken by leaving the mean out of the bias, or by the strength as the penalty itself."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(60, 8, generator=generator) * torch.logspace(-2, 2, 8) + torch.arange(8)
    numbers = (features @ torch.randn(8, generator=generator) * 1000 + 5e6).tolist()
    rows = [Read([7], number=number) for number in numbers]
    scale = scale_of(rows, whole=False)
    assert scale.mean == pytest.approx(np.mean(numbers))
    assert scale.deviation == pytest.approx(np.std(numbers))
    answer = NumberAnswer(fit_ridge(features, rows, scale, strength=strength), scale)
    standard = StandardScaler().fit_transform(features.numpy())
    wanted = (np.array(numbers) - np.mean(numbers)) / np.std(numbers)
    reference = Ridge(alpha=1 / strength).fit(standard, wanted).predict(standard)
    found = np.array([float(str(value)) for value, _ in answer.decide(features, rows)])
    np.testing.assert_allclose((found - scale.mean) / scale.deviation, reference, atol=1e-4)


def test_numbers_that_are_all_equal_have_a_unit() -> None:
    """Broken by dividing by their deviation of 0."""
    rows = [Read([7], number=4.0)] * 3
    scale = scale_of(rows, whole=True)
    assert scale == Scale(4.0, 1.0, True)
    answer = NumberAnswer(fit_ridge(torch.eye(3), rows, scale, strength=1.0), scale)
    assert [value for value, _ in answer.decide(torch.eye(3), rows)] == [4, 4, 4]


def test_it_is_an_answer() -> None:
    assert isinstance(answer_for(), Answer)
