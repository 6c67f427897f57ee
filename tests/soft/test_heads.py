"""The head's start equals scikit-learn's logistic regression on standardised features."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from afina.soft.heads import ClassificationHead, fit_probe


def clusters(classes: int, rows: int = 90, width: int = 12) -> tuple[Tensor, Tensor]:
    """Rows around a middle a class, with features of unlike scale and offset."""
    generator = torch.Generator().manual_seed(classes)
    labels = torch.arange(rows) % classes
    middles = torch.randn(classes, width, generator=generator)
    features = middles[labels] + torch.randn(rows, width, generator=generator)
    return features * torch.logspace(-2, 2, width) + torch.arange(width) * 3.0, labels


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_probabilities_equal_scikit_learn_s(classes: int, strength: float) -> None:
    """Broken by leaving the mean out of the bias, or the halving out of two classes.

    scikit-learn divides by n where we divide by n-1, hence the scaled reference.
    """
    features, labels = clusters(classes)
    head = fit_probe(features, labels, classes=classes, strength=strength)
    scaler = StandardScaler().fit(features.numpy())
    scaler.scale_ *= np.sqrt(len(features) / (len(features) - 1))
    reference = LogisticRegression(C=strength, max_iter=300)
    reference.fit(scaler.transform(features.numpy()), labels.numpy())
    wanted = make_pipeline(scaler, reference).predict_proba(features.numpy())
    got = head(features).softmax(dim=-1).detach().numpy()
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_two_classes_have_two_rows_that_mirror_each_other() -> None:
    features, labels = clusters(2)
    head = fit_probe(features, labels, classes=2, strength=0.1)
    assert head.weight.shape == (2, 12)
    torch.testing.assert_close(head.weight[0], -head.weight[1])


@pytest.mark.parametrize("classes", [3, 4])
def test_a_class_without_examples_is_all_but_ruled_out(classes: int) -> None:
    """The class in the middle of the labels; broken by filling the rows from the first on."""
    features, labels = clusters(classes - 1)
    labels = torch.where(labels >= 1, labels + 1, labels)
    head = fit_probe(features, labels, classes=classes, strength=1.0)
    probabilities = head(features).detach().softmax(dim=-1)
    assert float(probabilities[:, 1].max()) < 1e-3
    right = (probabilities.argmax(dim=-1) == labels).float().mean()
    assert float(right) > 0.9


def test_a_feature_that_never_changes_is_no_trouble() -> None:
    """Broken by dividing by its deviation of 0."""
    features, labels = clusters(3)
    features[:, 4] = 7.0
    head = fit_probe(features, labels, classes=3, strength=1.0)
    assert bool(head(features).isfinite().all())
    assert not bool(head.weight[:, 4].any())


def test_few_rows_of_many_classes_are_fitted_without_a_warning() -> None:
    """scikit-learn takes them for a regression problem and says so; a warning fails a test here."""
    features, labels = clusters(20, rows=30)
    head = fit_probe(features, labels, classes=20, strength=1.0)
    assert float((head(features).argmax(dim=-1) == labels).float().mean()) > 0.9


def test_a_head_owns_its_numbers() -> None:
    """Broken by sharing memory with what it was made from."""
    weight, bias = torch.ones(2, 3), torch.zeros(2)
    head = ClassificationHead(weight, bias)
    with torch.no_grad():
        head.weight.zero_()
    assert bool((weight == 1).all())
    torch.testing.assert_close(
        ClassificationHead(weight, bias)(torch.tensor([[1.0, 2.0, 3.0]])), torch.full((1, 2), 6.0)
    )
