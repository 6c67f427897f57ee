"""Metrics: values by hand, and parity with the packages that define them."""

import pickle
import random
from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from scipy import stats
from seqeval.metrics import f1_score as seqeval_f1
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from afina.errors import InputError
from afina.solver import Span, Value
from afina.task.metrics import METRICS, check_metric, default_metric, fits, metric_named
from afina.task.signature import (
    Boolean,
    Choice,
    Field,
    FieldType,
    Integer,
    Number,
    Spans,
    Text,
    TextList,
)
from afina.task.value import spans_of

TEXTS = [
    "the cat sat on the mat",
    "The cat, sat on a mat!",
    "a dog barked at 3 o'clock",
    "there is nothing here",
    "",
    "Über den Wolken muss die Freiheit wohl grenzenlos sein",
]


def score(name: str, predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    return METRICS[name].score(predicted, wanted)


BY_HAND: list[tuple[str, list[Value], list[Value], float]] = [
    ("accuracy", ["a", "b", "a", "a"], ["a", "b", "b", "b"], 0.5),
    ("accuracy", [True, False], [True, True], 0.5),
    ("accuracy", [0, 3], [0, 4], 0.5),
    ("accuracy", [["a"], ["b"]], [["a"], ["c"]], 0.5),
    # a: precision 1/3, recall 1 -> 1/2; b: precision 1, recall 1/3 -> 1/2
    ("macro-f1", ["a", "b", "a", "a"], ["a", "b", "b", "b"], 0.5),
    ("macro-f1", ["c", "b"], ["a", "b"], 1 / 3),
    # (tp tn - fp fn) / sqrt(...) with tp 2, tn 1, fp 1, fn 1
    ("mcc", ["a", "a", "a", "b", "b"], ["a", "a", "b", "b", "a"], (2 - 1) / (3 * 3 * 2 * 2) ** 0.5),
    ("mcc", ["a", "a"], ["a", "b"], 0.0),
    ("mcc", ["a", "a"], ["a", "a"], 0.0),
    ("mcc", ["a", "b"], ["b", "a"], -1.0),
    # about their means -1 0 1 and -2 1 1: 3 / sqrt(2 * 6)
    ("pearson", [1.0, 2.0, 3.0], [0.0, 3.0, 3.0], 3 / 12**0.5),
    ("pearson", [1, 2, 4], [-10.0, -20.0, -40.0], -1.0),
    ("pearson", [0.1, 0.1, 0.1], [0.0, 3.0, 3.0], 0.0),
    ("pearson", [0.0, 3.0, 3.0], [7, 7, 7], 0.0),
    ("pearson", [2.0], [1.0], 0.0),
    ("pearson", [1e300, 2e300, 3e300], [1e-320, 2e-320, 3e-320], 1.0),
    # ranks 1 2 3 and 1 2.5 2.5; about their means -1 0 1 and -1.5 .75 .75: 2.25 / sqrt(2 * 3.375)
    ("spearman", [1.0, 9.0, 10.0], [0.0, 3.0, 3.0], 2.25 / 6.75**0.5),
    ("spearman", [1, 5, 3], [0.1, 7.0, 6.5], 1.0),
    ("spearman", [0.1, 0.1], [1.0, 2.0], 0.0),
    ("exact-match", ["The  Cat."], ["cat"], 1.0),
    ("exact-match", ["cat"], [["dog", "a cat"]], 1.0),
    ("exact-match", ["cats"], [["dog", "a cat"]], 0.0),
    ("exact-match", ["theatre"], ["atre"], 0.0),
    # 2 words of 3 and of 4 in common: 2 * 2 / 7
    ("squad-f1", ["big red house"], ["a red house in Rio"], 4 / 7),
    ("squad-f1", ["x y"], [["a x", "y x", "z"]], 1.0),
    ("squad-f1", ["cat cat"], ["cat dog"], 0.5),
    ("squad-f1", ["none"], ["other"], 0.0),
    ("squad-f1", ["the"], ["a"], 1.0),
    ("squad-f1", ["cat"], ["the"], 0.0),
    ("squad-f1", [["big red house"]], [["a red house in Rio"]], 4 / 7),
    ("entity-f1", [[Span(0, 2, "A")], []], [[Span(0, 2, "A"), Span(3, 4, "B")], []], 2 / 3),
    ("entity-f1", [[Span(0, 2, "A")]], [[Span(0, 2, "B")]], 0.0),
    ("entity-f1", [[Span(0, 2, "A")]], [[Span(0, 3, "A")]], 0.0),
    ("entity-f1", [[]], [[]], 0.0),
    ("rouge-l", ["the cat sat"], ["the big cat has sat"], 6 / 8),
    ("rouge-l", ["b a"], ["a b"], 0.5),
    ("rouge-l", ["x"], [["y", "x"]], 1.0),
    ("rouge-l", [""], [""], 0.0),
    ("bleu", ["a b c d e"], ["a b c d e"], 100.0),
    ("chrf", ["abcdef"], ["abcdef"], 100.0),
]


@pytest.mark.parametrize(("name", "predicted", "wanted", "value"), BY_HAND)
def test_a_score_is_what_it_is_by_hand(
    name: str, predicted: list[Value], wanted: list[Value], value: float
) -> None:
    assert score(name, predicted, wanted) == pytest.approx(value, abs=1e-12)


def test_label_metrics_agree_with_scikit_learn() -> None:
    generator = random.Random(0)
    wanted = [generator.choice("abcde") for _ in range(200)]
    predicted = [
        label if generator.random() < 0.6 else generator.choice("abcde") for label in wanted
    ]
    expected = {
        "accuracy": accuracy_score(wanted, predicted),
        "macro-f1": f1_score(wanted, predicted, average="macro"),
        "mcc": matthews_corrcoef(wanted, predicted),
    }
    for name, value in expected.items():
        assert score(name, predicted, wanted) == pytest.approx(value, abs=1e-12)


def test_correlations_agree_with_scipy_and_numpy() -> None:
    generator = np.random.default_rng(0)
    for ties in (1, 10):
        wanted = np.round(generator.normal(2.5, 1.0, 300), ties)
        predicted = np.round(0.4 * wanted**3 + generator.normal(0.0, 4.0, 300), ties)
        sides = predicted.tolist(), wanted.tolist()
        pearson, spearman = score("pearson", *sides), score("spearman", *sides)
        assert pearson == pytest.approx(stats.pearsonr(predicted, wanted).statistic, abs=1e-12)
        assert pearson == pytest.approx(np.corrcoef(predicted, wanted)[0, 1], abs=1e-12)
        assert spearman == pytest.approx(stats.spearmanr(predicted, wanted).statistic, abs=1e-12)
        assert abs(pearson - spearman) > 0.005


NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9)


@given(NUMBERS, st.floats(0.5, 8.0), st.floats(-100.0, 100.0))
def test_a_correlation_keeps_its_bounds_and_its_sign(
    numbers: list[float], scale: float, shift: float
) -> None:
    """Broken by leaving out the clip."""
    wanted: list[Value] = [*numbers]
    stretched = [scale * number + shift for number in numbers]
    for name in ("pearson", "spearman"):
        found, turned = score(name, stretched, wanted), score(name, [-x for x in stretched], wanted)
        assert -1.0 <= found <= 1.0
        assert turned == pytest.approx(-found, abs=1e-6)


TAGS = st.lists(
    st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=6, max_size=6),
    min_size=4,
    max_size=4,
)


@given(TAGS, TAGS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_entity_f1_agrees_with_seqeval(one: list[list[str]], other: list[list[str]]) -> None:
    predicted, wanted = ([spans_of(tags, "XY") for tags in side] for side in (one, other))
    expected = seqeval_f1(other, one, zero_division=0)
    assert score("entity-f1", predicted, wanted) == pytest.approx(expected, abs=1e-12)


def test_rouge_l_agrees_with_rouge_score() -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    generator = random.Random(1)
    texts = TEXTS + [" ".join(generator.choices("a b c d É x1".split(), k=9)) for _ in range(60)]
    each = METRICS["rouge-l"].each
    assert each is not None
    for text in texts:
        other = generator.choice(texts)
        expected = scorer.score(other, text)["rougeL"].fmeasure
        assert each(text, other) == pytest.approx(expected, abs=1e-12)
        several = scorer.score_multi([other, texts[0]], text)["rougeL"].fmeasure
        assert each(text, [other, texts[0]]) == pytest.approx(several, abs=1e-12)


def test_bleu_and_chrf_agree_with_sacrebleu() -> None:
    predicted = ["the cat sat on a mat", "a dog barked at 3", "nothing is here"]
    wanted: list[Value] = [
        ["the cat sat on the mat", "a cat sat"],
        "a dog barked at 3 o'clock",
        "x",
    ]
    streams = [
        ["the cat sat on the mat", "a dog barked at 3 o'clock", "x"],
        ["a cat sat", None, None],
    ]
    bleu = sacrebleu.corpus_bleu(predicted, streams).score
    chrf = sacrebleu.corpus_chrf(predicted, streams).score
    assert 0 < bleu < 100
    assert score("bleu", predicted, wanted) == pytest.approx(bleu, abs=1e-9)
    assert score("chrf", predicted, wanted) == pytest.approx(chrf, abs=1e-9)


def test_a_second_reference_counts() -> None:
    predicted = ["the cat sat on the mat today"]
    alone = score("bleu", predicted, ["a cat lay on the mat today"])
    assert score("bleu", predicted, [["a cat lay on the mat today", "the cat sat here"]]) > alone


@pytest.mark.parametrize("name", [n for n, metric in METRICS.items() if metric.each])
def test_a_score_is_the_mean_of_its_examples(name: str) -> None:
    metric = METRICS[name]
    assert metric.each is not None
    wanted = TEXTS[::-1]
    each = [metric.each(one, other) for one, other in zip(TEXTS, wanted, strict=True)]
    assert metric.score(TEXTS, wanted) == pytest.approx(sum(each) / len(each), abs=1e-12)


def test_metrics_of_the_whole_have_no_scores_of_examples() -> None:
    whole = {name for name, metric in METRICS.items() if metric.each is None}
    assert whole == {"macro-f1", "mcc", "pearson", "spearman", "entity-f1", "bleu", "chrf"}


@pytest.mark.parametrize("name", METRICS)
def test_nothing_is_not_scored(name: str) -> None:
    with pytest.raises(InputError, match="expected examples to score"):
        score(name, [], [])


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_goes_by_its_name_and_into_a_process(name: str) -> None:
    assert metric_named(name).name == name
    copied = pickle.loads(pickle.dumps(metric_named(name)))
    values: dict[str, list[Value]] = {
        "entity-f1": [[Span(0, 1, "A")]],
        "pearson": [1.0, 2.0],
        "spearman": [1.0, 2.0],
    }
    value = values.get(name, ["a b"])
    assert copied.score(value, value) == metric_named(name).score(value, value)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match="came 'f1-macro'; did you mean 'macro-f1'"):
        metric_named("f1-macro")
    with pytest.raises(InputError, match="one of accuracy, macro-f1"):
        metric_named("")


DEFAULTS: list[tuple[FieldType, str]] = [
    (Choice(("a", "b")), "accuracy"),
    (Boolean(), "accuracy"),
    (Integer(), "accuracy"),
    (Number(), "pearson"),
    (Text(), "exact-match"),
    (TextList(), "exact-match"),
    (Spans(("A",)), "entity-f1"),
    (Spans(()), "squad-f1"),
]


@pytest.mark.parametrize(("target", "name"), DEFAULTS)
def test_each_type_has_a_metric_of_its_own(target: FieldType, name: str) -> None:
    assert default_metric(target).name == name


@pytest.mark.parametrize(("target", "name"), DEFAULTS)
def test_the_metric_of_a_type_fits_it(target: FieldType, name: str) -> None:
    check_metric(METRICS[name], Field("y", target))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("target", [target for target, _ in DEFAULTS])
def test_what_a_metric_takes_is_of_its_kind(name: str, target: FieldType) -> None:
    """Correlations are of numbers, entities of labelled spans, words of texts; equal is anything's.

    Broken by letting every metric fit.
    """
    number = isinstance(target, Integer | Number)
    labelled = isinstance(target, Spans) and target.labels != ()
    expected = {
        "pearson": number,
        "spearman": number,
        "entity-f1": labelled,
        "accuracy": True,
        "macro-f1": not labelled,
        "mcc": not labelled,
    }.get(name, not number and not labelled)
    assert fits(name, target) == expected


def test_a_metric_that_does_not_fit_is_refused_with_one_that_does() -> None:
    with pytest.raises(InputError, match=r"'y: a \| b', came 'pearson'; take 'accuracy'"):
        check_metric(METRICS["pearson"], Field("y", Choice(("a", "b"))))
    with pytest.raises(InputError, match="the target 'y: float', came 'bleu'; take 'pearson'"):
        check_metric(METRICS["bleu"], Field("y", Number()))
