"""Metrics by their field's names: what is predicted against what is wanted; higher is better."""

import difflib
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import rankdata
from sklearn.metrics import f1_score, matthews_corrcoef

from afina.errors import InputError
from afina.solver import Value
from afina.task.signature import Boolean, Choice, Field, FieldType, Integer, Number, Spans

COUNTED = ("accuracy", "macro-f1", "mcc")  # equal or not, whatever the type
CORRELATIONS = ("pearson", "spearman")


@dataclass(frozen=True)
class Metric:
    """A score over all examples; ``each`` is given where it is the mean of scores of examples."""

    name: str
    score: Callable[[Sequence[Value], Sequence[Value]], float]
    each: Callable[[Value, Value], float] | None = None


def mean_of(each: Callable[[Value, Value], float]) -> Metric:
    """The metric that is the mean of ``each``, called by its function's name."""
    return Metric(each.__name__.replace("_", "-"), partial(mean, each), each)


def mean(
    each: Callable[[Value, Value], float], predicted: Sequence[Value], wanted: Sequence[Value]
) -> float:
    """The mean of the scores of the examples."""
    check_pairs(predicted, wanted)
    return sum(map(each, predicted, wanted)) / len(wanted)


def check_pairs(predicted: Sequence[Value], wanted: Sequence[Value]) -> None:
    """Refuse to score nothing."""
    assert len(predicted) == len(wanted)
    if not wanted:
        raise InputError("expected examples to score, came none")


def accuracy(predicted: Value, wanted: Value) -> float:
    """1 where the prediction equals what is wanted, else 0."""
    return float(predicted == wanted)


def macro_f1(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """The mean over the labels, predicted or wanted, of each one's F1."""
    check_pairs(predicted, wanted)
    labels = [str(value) for value in wanted], [str(value) for value in predicted]
    return float(f1_score(*labels, average="macro", zero_division=0.0))


def mcc(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """Matthews' correlation coefficient, from -1 to 1; 0 where either side has one label only."""
    check_pairs(predicted, wanted)
    labels = [str(value) for value in wanted], [str(value) for value in predicted]
    if any(len(set(side)) == 1 for side in labels):
        return 0.0
    return float(matthews_corrcoef(*labels))


def pearson(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """Pearson's correlation, from -1 to 1; 0 where either side is constant."""
    check_pairs(predicted, wanted)
    return correlation(numbers_of(predicted), numbers_of(wanted))


def spearman(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """Pearson's correlation of the ranks; equal numbers share the mean of theirs."""
    check_pairs(predicted, wanted)
    return correlation(rankdata(numbers_of(predicted)), rankdata(numbers_of(wanted)))


def numbers_of(values: Sequence[Value]) -> NDArray[np.float64]:
    """Whole numbers and numbers, as numbers."""
    assert all(isinstance(value, int | float) for value in values)
    return np.array(values, dtype=np.float64)


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The cosine of two rows of numbers about their means; 0 where either is constant."""
    if any((side == side[0]).all() for side in (one, other)):
        return 0.0
    return float(np.clip(unit(one) @ unit(other), -1.0, 1.0))


def unit(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers about their mean, as a vector of length 1."""
    scaled = numbers / np.abs(numbers).max()  # squares of numbers such as 1e200 would overflow
    centred = scaled - scaled.mean()
    return np.asarray(centred / np.linalg.norm(centred))


def exact_match(predicted: Value, wanted: Value) -> float:
    """1 where the answer equals a wanted one but for case, punctuation and articles (SQuAD)."""
    answer = normalised(text_of(predicted))
    return float(any(normalised(text) == answer for text in texts_of(wanted)))


def squad_f1(predicted: Value, wanted: Value) -> float:
    """The F1 of the answer's words, against the nearest wanted answer.

    Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250; where no word is left on a side, as
    in version 2.0 of their script: 1 if none is left on both.
    """
    answer = normalised(text_of(predicted)).split()
    return max(word_f1(answer, normalised(text).split()) for text in texts_of(wanted))


def word_f1(predicted: Sequence[str], wanted: Sequence[str]) -> float:
    """The F1 of two bags of words."""
    if not predicted or not wanted:
        return float(predicted == wanted)
    return f1((Counter(predicted) & Counter(wanted)).total(), len(predicted), len(wanted))


def f1(same: int, predicted: int, wanted: int) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is the same."""
    return 2 * same / (predicted + wanted) if same else 0.0


def normalised(text: str) -> str:
    """An answer without case, punctuation, articles and doubled spaces, as in SQuAD's script."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def entity_f1(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """The F1 of exact spans with their labels, over all examples together (micro)."""
    check_pairs(predicted, wanted)
    same = found = sought = 0
    for one, other in zip(predicted, wanted, strict=True):
        assert isinstance(one, list)
        assert isinstance(other, list)
        same += len(set(one) & set(other))
        found += len(set(one))
        sought += len(set(other))
    return f1(same, found, sought)


def bleu(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """BLEU of the whole, from 0 to 100, with sacrebleu's 13a words (Post 2018)."""
    check_pairs(predicted, wanted)
    texts = [text_of(value) for value in predicted]
    return float(BLEU(force=True).corpus_score(texts, streams(wanted)).score)


def chrf(predicted: Sequence[Value], wanted: Sequence[Value]) -> float:
    """chrF2 of the whole, from 0 to 100, as sacrebleu has it (Popović 2015)."""
    check_pairs(predicted, wanted)
    texts = [text_of(value) for value in predicted]
    return float(CHRF().corpus_score(texts, streams(wanted)).score)


def streams(wanted: Sequence[Value]) -> list[list[str]]:
    """References as sacrebleu takes them: the first of each, the second of each, and so on.

    Where an example has fewer its first stands again, which changes no score.
    """
    texts = [texts_of(value) for value in wanted]
    width = max(map(len, texts))
    return [[row[n] if n < len(row) else row[0] for row in texts] for n in range(width)]


def rouge_l(predicted: Value, wanted: Value) -> float:
    """The F1 of the longest common run of words with gaps, against the nearest wanted text.

    Lin 2004, https://aclanthology.org/W04-1013; words are runs of a-z and 0-9 in lower case,
    without stemming, as in the package rouge_score.
    """
    answer = words(text_of(predicted))
    return max(lcs_f1(answer, words(text)) for text in texts_of(wanted))


def words(text: str) -> list[str]:
    """Runs of ASCII letters and digits, in lower case."""
    return re.findall("[a-z0-9]+", text.lower())


def lcs_f1(predicted: Sequence[str], wanted: Sequence[str]) -> float:
    """The F1 of the longest common subsequence."""
    above = [0] * (len(wanted) + 1)
    for word in predicted:
        row = [0]
        for place, other in enumerate(wanted):
            row.append(above[place] + 1 if word == other else max(above[place + 1], row[place]))
        above = row
    return f1(above[-1], len(predicted), len(wanted))


def text_of(value: Value) -> str:
    """A predicted answer as text; of several, the first."""
    return texts_of(value)[0]


def texts_of(value: Value) -> list[str]:
    """A wanted answer as its accepted texts."""
    return [str(text) for text in value] or [""] if isinstance(value, list) else [str(value)]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        mean_of(accuracy),
        Metric("macro-f1", macro_f1),
        Metric("mcc", mcc),
        Metric("pearson", pearson),
        Metric("spearman", spearman),
        mean_of(exact_match),
        mean_of(squad_f1),
        Metric("entity-f1", entity_f1),
        Metric("bleu", bleu),
        Metric("chrf", chrf),
        mean_of(rouge_l),
    )
}


def metric_named(name: str) -> Metric:
    """The metric of a name; raises InputError with the nearest.

    >>> metric_named("accuracy").score(["a", "b"], ["a", "a"])
    0.5
    """
    if name not in METRICS:
        near = difflib.get_close_matches(name, METRICS, 1, 0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"expected a metric, one of {', '.join(METRICS)}; came {name!r}{hint}")
    return METRICS[name]


def default_metric(target: FieldType) -> Metric:
    """The metric of a task that names none."""
    match target:
        case Choice() | Boolean() | Integer():
            return METRICS["accuracy"]
        case Number():
            return METRICS["pearson"]
        case Spans(labels):
            return METRICS["entity-f1" if labels else "squad-f1"]
        case _:
            return METRICS["exact-match"]


def check_metric(metric: Metric, target: Field) -> None:
    """Refuse a metric that says nothing about values of the target's type.

    Raises:
        InputError: a correlation of what are no numbers, entities where there are none, texts
            where there are numbers or labelled spans.
    """
    if not fits(metric.name, target.type):
        raise InputError(
            f"expected a metric that fits the target '{target}', came {metric.name!r}; "
            f"take {default_metric(target.type).name!r}"
        )


def fits(name: str, target: FieldType) -> bool:
    """Whether a metric of this name means something for values of a type."""
    match target:
        case Integer() | Number():
            return name in (*COUNTED, *CORRELATIONS)
        case Spans(labels) if labels:
            return name in ("accuracy", "entity-f1")
        case _:
            return name not in (*CORRELATIONS, "entity-f1")
