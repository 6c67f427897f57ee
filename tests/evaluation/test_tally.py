"""A tally gives exactly the metric's own scores, for resamples and for exchanges."""

import numpy as np
import pytest

from afina.evaluation.tally import Additive, Direct, tally
from afina.solver import Span, Value
from afina.task.metrics import METRICS, Metric

WORDS = "the a cat dog sat ran on under mat tree slowly".split()


CORPUS = [name for name, metric in METRICS.items() if metric.each is None]


def values(name: str, count: int, generator: np.random.Generator) -> list[Value]:
    match name:
        case "entity-f1":
            return [
                [Span(int(s), int(s) + 1, "AB"[s % 2]) for s in set(generator.integers(6, size=2))]
                for _ in range(count)
            ]
        case "bleu" | "chrf":
            return [" ".join(generator.choice(WORDS[:7], size=9)) for _ in range(count)]
        case "pearson" | "spearman":
            return [float(number) for number in generator.normal(1e3, 1.0, count).round(1)]
        case _:
            return [str(label) for label in generator.integers(7, size=count)]


@pytest.mark.parametrize("name", CORPUS)
def test_resamples_and_exchanges_are_scored_as_the_metric_scores_them(name: str) -> None:
    generator = np.random.default_rng(0)
    metric = METRICS[name]
    wanted, first, other = (values(name, 30, generator) for _ in range(3))
    second = [w if n % 3 else o for n, (w, o) in enumerate(zip(wanted, other, strict=True))]
    quick, slow = tally(metric, wanted, [first, second]), Direct(metric, wanted, [first, second])
    assert not isinstance(quick, Direct)
    weights = generator.multinomial(30, [1 / 30] * 30, size=20)
    masks = generator.integers(2, size=(20, 30), dtype=np.int8)
    for report in (0, 1):
        np.testing.assert_allclose(
            quick.weighted(report, weights), slow.weighted(report, weights), atol=1e-9
        )
    np.testing.assert_allclose(quick.swapped(0, 1, masks), slow.swapped(0, 1, masks), atol=1e-9)


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_a_resample_without_spread_correlates_with_nothing(name: str) -> None:
    """Broken by dividing by a spread that only rounding leaves."""
    generator = np.random.default_rng(0)
    sample = generator.normal(size=40)
    wanted: list[Value] = sample.tolist()
    close: list[Value] = [float(number) + n / 99 for n, number in enumerate(sample)]
    constant: list[Value] = [0.3] * 40
    found = tally(METRICS[name], wanted, [close, constant])
    assert not isinstance(found, Direct)
    one_example = 40 * np.eye(40, dtype=np.int64)
    assert found.weighted(0, one_example).tolist() == [0.0] * 40
    assert found.weighted(0, one_example[:20] + one_example[20:]) == pytest.approx(
        [METRICS[name].score(close[n::20], wanted[n::20]) for n in range(20)]
    )
    assert found.weighted(1, generator.multinomial(40, [1 / 40] * 40, 99)).tolist() == [0.0] * 99
    masks = np.zeros((1, 40), dtype=np.int8)
    first, second = found.swapped(0, 1, masks)
    assert first[0] > 0.9
    assert second[0] == 0.0


def test_exchanging_every_answer_exchanges_the_scores() -> None:
    metric = METRICS["macro-f1"]
    wanted: list[Value] = ["a", "b", "a", "b"]
    found = tally(metric, wanted, [["a", "b", "a", "a"], ["b", "b", "b", "b"]])
    nobody, everybody = np.zeros((1, 4), dtype=np.int8), np.ones((1, 4), dtype=np.int8)
    one, other = found.swapped(0, 1, nobody)
    assert one[0] > other[0]
    assert found.swapped(0, 1, everybody) == (other, one)


def test_a_metric_of_one_s_own_under_a_known_name_keeps_its_scores() -> None:
    metric = Metric("macro-f1", lambda g, w: 0.25, None)
    found = tally(metric, ["a", "b"], [["a", "b"]])
    assert isinstance(found, Direct)
    assert found.weighted(0, np.array([[2, 0]])) == [0.25]


def test_a_corpus_metric_we_do_not_know_is_asked_each_time() -> None:
    metric = Metric("longest", lambda g, w: float(max(len(str(x)) for x in g)), None)
    found = tally(metric, ["a", "a"], [["x", "xxx"]])
    assert found.weighted(0, np.array([[2, 0], [1, 1]])).tolist() == [1.0, 3.0]


def test_a_mean_metric_is_its_examples_mean(closeness: Metric) -> None:
    found = tally(closeness, [1.0, 0.0], [[0.5, 0.0], [1.0, 1.0]])
    assert found.weighted(0, np.array([[1, 1], [2, 0]])).tolist() == [0.75, 0.5]
    first, second = found.swapped(0, 1, np.array([[1, 0]], dtype=np.int8))
    assert (first[0], second[0]) == (1.0, 0.25)


def test_labels_nobody_wanted_count_as_the_metric_counts_them() -> None:
    metric = METRICS["macro-f1"]
    found = tally(metric, ["a", "a"], [["a", "junk"]])
    assert isinstance(found, Additive)
    assert found.weighted(0, np.array([[2, 0]])) == [1.0]


@pytest.mark.parametrize("name", ["exact-match", "squad-f1", "rouge-l", "bleu", "chrf"])
def test_several_wanted_texts_are_all_accepted(name: str) -> None:
    metric = METRICS[name]
    wanted: list[Value] = [["a red cat sat down", "one two three four"], ["yes it is so"]]
    answers: list[Value] = ["one two three four", "yes it is not so"]
    found = tally(metric, wanted, [answers])
    assert isinstance(found, Additive)
    for weights, some in (([1, 1], [0, 1]), ([2, 0], [0, 0]), ([0, 2], [1, 1])):
        score = metric.score([answers[n] for n in some], [wanted[n] for n in some])
        assert found.weighted(0, np.array([weights])) == pytest.approx(score)
