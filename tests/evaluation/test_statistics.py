"""Intervals cover, tests err no more than they say, and verdicts are honest."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from afina.errors import MismatchError
from afina.evaluation import statistics
from afina.evaluation.report import Report
from afina.evaluation.statistics import (
    Paired,
    bca,
    bootstrap,
    cases_needed,
    draws,
    exchange,
    holm,
    interval,
    interval_over_seeds,
    masks,
    paired,
    seeds_drawn,
    verdict,
    wilson,
)
from afina.evaluation.tally import Floats, tally
from afina.solver import Value
from afina.task.metrics import METRICS, Metric

MakeReport = Callable[..., Report]


def test_wilson_s_interval_is_the_formula_s() -> None:
    n, share, z = 50, 0.8, 1.959964
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert wilson(40, n) == pytest.approx((centre - half, centre + half), abs=1e-6)


@pytest.mark.parametrize("hits", [0, 5])
def test_wilson_s_interval_never_is_a_point(hits: int) -> None:
    low, high = wilson(hits, 5)
    assert 0 <= low < high <= 1


def test_scores_of_0_and_1_get_wilson_s_interval(accuracy: Metric) -> None:
    assert interval(accuracy, ["a"] * 10, ["a"] * 8 + ["b"] * 2) == wilson(8, 10)


def test_bca_is_scipy_s(closeness: Metric) -> None:
    scores = np.random.default_rng(0).beta(6, 1, size=80)
    ours = interval(closeness, [1.0] * 80, scores.tolist(), resamples=20_000)
    theirs = stats.bootstrap(
        (scores,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1.5e-3)
    plain = np.quantile(bootstrap_means(scores), (0.025, 0.975))
    assert abs(plain[0] - theirs.low) > 1.5e-3, "the case would not tell BCa from percentiles"


def bootstrap_means(scores: Floats) -> Floats:
    places = np.random.default_rng(2).integers(len(scores), size=(20_000, len(scores)))
    return np.asarray(scores[places].mean(axis=1))


def test_equal_scores_have_no_width(closeness: Metric) -> None:
    assert interval(closeness, [1.0] * 3, [0.25] * 3) == (0.25, 0.25)


def test_an_interval_of_a_corpus_metric_is_quick(macro_f1: Metric) -> None:
    generator = np.random.default_rng(0)
    wanted: list[Value] = [str(label) for label in generator.integers(150, size=3000)]
    answers = [w if generator.random() < 0.8 else "7" for w in wanted]
    begin = time.process_time()
    low, high = interval(macro_f1, wanted, answers)
    assert time.process_time() - begin < 3
    assert low < macro_f1.score(answers, wanted) < high


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_an_interval_of_a_correlation_is_fisher_s(name: str) -> None:
    """Of normal numbers; Fisher 1921, the arctanh of r has the error 1 / sqrt(n - 3)."""
    generator = np.random.default_rng(0)
    wanted = generator.normal(size=1000)
    answers = 0.6 * wanted + 0.8 * generator.normal(size=1000)
    sides: tuple[list[Value], list[Value]] = (wanted.tolist(), answers.tolist())
    found = interval(METRICS[name], *sides, resamples=2000)
    centre = np.arctanh(METRICS[name].score(*sides))
    expected = np.tanh(centre + np.array([-1.96, 1.96]) / np.sqrt(997))
    np.testing.assert_allclose(found, expected, atol=0.008)


def test_draws_are_as_many_as_examples_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BLOCK_CELLS", 30)
    blocks = list(draws(10, 7, np.random.default_rng(0)))
    assert [block.shape for block in blocks] == [(3, 10), (3, 10), (1, 10)]
    assert all((block.sum(axis=1) == 10).all() for block in blocks)
    coins = np.concatenate(list(masks(10, 1000, np.random.default_rng(0))))
    assert coins.shape == (1000, 10)
    assert set(coins.ravel()) == {0, 1}
    assert abs(coins.mean() - 0.5) < 0.02


def test_seeds_vary_the_mean_by_their_standard_error() -> None:
    scores = np.repeat(np.array([[0.1], [0.5], [0.6]]), 50_000, axis=1)
    drawn = seeds_drawn(scores, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0.4, abs=0.005)
    assert drawn.std() == pytest.approx(np.std([0.1, 0.5, 0.6], ddof=1) / np.sqrt(3), rel=0.02)
    assert (seeds_drawn(scores[:1], np.random.default_rng(0)) == 0.1).all()


def test_the_exchange_test_is_the_sign_flip_test_of_a_mean(closeness: Metric) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 12))
    difference = float(first.mean() - second.mean())
    found = tally(closeness, [1.0] * 12, [first.tolist(), second.tolist()])
    ours = exchange(found, (1, 1), difference, 12, resamples=20_000, seed=0)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 12)).reshape(12, -1)
    flipped = np.abs((first - second) @ signs / 12)
    exact = (flipped >= abs(difference) - 1e-12).mean()
    assert ours == pytest.approx(exact, abs=0.01)


def test_several_seeds_are_exchanged_as_their_mean(closeness: Metric) -> None:
    scores = np.random.default_rng(0).random((4, 10))
    means = np.array([scores[:3].mean(axis=0), scores[3]])
    difference = float(means[0].mean() - means[1].mean())
    four, two = (tally(closeness, [1.0] * 10, found.tolist()) for found in (scores, means))
    p = exchange(four, (3, 1), difference, 10, resamples=500, seed=0)
    assert p == exchange(two, (1, 1), difference, 10, resamples=500, seed=0)


def test_a_paired_test_of_a_corpus_metric_finds_what_is_there(
    macro_f1: Metric, make_report: MakeReport
) -> None:
    wanted = ["a", "b", "c"] * 60
    good = make_report(macro_f1, wanted, [w if n % 9 else "a" for n, w in enumerate(wanted)])
    poor = make_report(macro_f1, wanted, [w if n % 2 else "a" for n, w in enumerate(wanted)])
    found = paired(macro_f1, [good], [poor], resamples=1000)
    assert found is not None
    assert good.score is not None
    assert poor.score is not None
    assert found.difference == pytest.approx(good.score - poor.score)
    assert 0 < found.low < found.difference < found.high
    assert found.p == 1 / 1001
    assert (found.n, found.seed_error) == (180, 0.0)
    back = paired(macro_f1, [poor], [good], resamples=1000)
    assert back is not None
    assert (back.difference, back.p) == (-found.difference, found.p)
    assert (back.low, back.high) == (-found.high, -found.low)


def test_the_same_answers_are_no_difference(accuracy: Metric, make_report: MakeReport) -> None:
    report = make_report(accuracy, ["a", "b"] * 20, ["a"] * 40)
    found = paired(accuracy, [report], [report], resamples=100)
    assert found is not None
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert verdict(found, 1.0) == "cannot tell, no difference seen"


def test_a_pair_is_judged_on_what_both_answered(accuracy: Metric, make_report: MakeReport) -> None:
    first = make_report(accuracy, ["a"] * 4, ["a", "a", "b", None])
    second = make_report(accuracy, ["a"] * 4, [None, "a", "a", "b"])
    found = paired(accuracy, [first], [second], resamples=100)
    assert found is not None
    assert (found.n, found.difference) == (2, -0.5)
    nothing = make_report(accuracy, ["a"] * 4, [None] * 4)
    assert paired(accuracy, [first], [nothing], resamples=100) is None
    assert interval_over_seeds(accuracy, [nothing, first]) is None


def test_a_pair_of_other_examples_is_refused(accuracy: Metric, make_report: MakeReport) -> None:
    with pytest.raises(MismatchError):
        paired(
            accuracy,
            [make_report(accuracy, ["a"], ["a"])],
            [make_report(accuracy, ["a"] * 2, ["a"] * 2)],
        )


def test_seeds_widen_the_interval(closeness: Metric, make_report: MakeReport) -> None:
    def report(level: float) -> Report:
        return make_report(closeness, [1.0] * 50, [level] * 50)

    seeds = [report(level) for level in (0.1, 0.5, 0.6)]
    bounds = interval_over_seeds(closeness, seeds)
    assert bounds == (0.0, 1.0)  # three seeds that differ so much tell nothing
    alike = interval_over_seeds(closeness, [report(level) for level in (0.49, 0.5, 0.51)])
    assert alike == pytest.approx((0.4752, 0.5248), abs=1e-4)  # ± 4.303 · 0.01 / √3
    other = report(0.3)
    found = paired(closeness, seeds, [other], resamples=200)
    assert found is not None
    assert found.difference == pytest.approx(0.1)
    assert found.low < 0 < found.high
    assert found.p > 0.05  # the seeds differ more than the methods do
    assert found.seed_error == pytest.approx(0.153, abs=0.01)
    assert verdict(found, found.p) == "cannot tell, more seeds needed"


@pytest.mark.parametrize("chosen", ["wilson", "bca", "percentiles"])
def test_intervals_of_one_sample_cover_as_they_say(
    chosen: str, closeness: Metric, macro_f1: Metric
) -> None:
    assert coverage(chosen, 300, closeness, macro_f1) == pytest.approx(0.95, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["wilson", "bca", "percentiles"])
def test_intervals_cover_95_percent(chosen: str, closeness: Metric, macro_f1: Metric) -> None:
    assert coverage(chosen, 4000, closeness, macro_f1) == pytest.approx(0.95, abs=0.015)


def coverage(chosen: str, trials: int, closeness: Metric, macro_f1: Metric) -> float:
    """How often the interval of a fresh sample of 200 holds the true score."""
    generator = np.random.default_rng(1)
    hits = 0
    for trial in range(trials):
        match chosen:
            case "wilson":
                truth = 0.8
                low, high = wilson(int(generator.binomial(200, truth)), 200)
            case "bca":
                truth = 6 / 7
                own = generator.beta(6, 1, size=200).tolist()
                low, high = interval(closeness, [1.0] * 200, own, seed=trial)
            case _:
                # Either label is wanted half the time and answered rightly four times in five.
                truth = 0.8
                wanted = generator.choice(["a", "b"], size=200).tolist()
                right = generator.random(200) < truth
                answers = [w if r else "ab"[w == "a"] for w, r in zip(wanted, right, strict=True)]
                low, high = interval(macro_f1, wanted, answers, seed=trial)
        hits += low <= truth <= high
    return hits / trials


@pytest.mark.slow
def test_the_interval_of_a_difference_covers_95_percent(
    accuracy: Metric, make_report: MakeReport
) -> None:
    generator = np.random.default_rng(1)
    hits, wanted = 0, ["a"] * 200
    for trial in range(2000):
        # One solver is right where u < 0.8, the other where u or a fresh draw is, by halves.
        u, fresh, half = generator.random((3, 200))
        first = np.where(u < 0.8, "a", "b").tolist()
        second = np.where(np.where(half < 0.5, u, fresh) < 0.75, "a", "b").tolist()
        reports = [make_report(accuracy, wanted, got) for got in (first, second)]
        found = paired(accuracy, reports[:1], reports[1:], resamples=1, seed=trial)
        assert found is not None
        hits += found.low <= 0.05 <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
def test_verdicts_among_equals_err_at_most_one_time_in_twenty(
    seeds: int, accuracy: Metric, make_report: MakeReport
) -> None:
    assert false_verdicts(600, seeds, accuracy, make_report) <= 0.05 + 2 * np.sqrt(
        0.05 * 0.95 / 600
    )


def test_verdicts_among_equals_seldom_err(accuracy: Metric, make_report: MakeReport) -> None:
    assert false_verdicts(40, 1, accuracy, make_report) <= 0.1


def false_verdicts(trials: int, seeds: int, accuracy: Metric, make_report: MakeReport) -> float:
    """How often four equally good methods, seeds as far apart as they may be, yield a winner."""
    generator = np.random.default_rng(1)
    errors, wanted = 0, ["a"] * 150
    for trial in range(trials):
        hardness = generator.random(150)
        methods = [
            [
                make_report(accuracy, wanted, np.where(right, "a", "b").tolist())
                for right in generator.random((seeds, 150)) < 0.5 + 0.5 * hardness
            ]
            for _ in range(4)
        ]
        pairs = [
            paired(accuracy, methods[a], methods[b], resamples=500, seed=trial)
            for a in range(4)
            for b in range(a)
        ]
        there = [found for found in pairs if found is not None]
        adjusted = holm([found.p for found in there])
        errors += any(
            verdict(found, p).endswith("better") for found, p in zip(there, adjusted, strict=True)
        )
    return errors / trials


def test_holm_is_the_hand_s() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def found_with(**changes: float) -> Paired:
    values = {
        "difference": 0.05,
        "low": 0.01,
        "high": 0.09,
        "p": 0.02,
        "n": 100,
        "example_error": 0.02,
        "seed_error": 0.0,
    }
    return Paired(**{**values, **changes})  # type: ignore[arg-type]


def test_a_verdict_needs_both_the_adjusted_p_and_the_interval() -> None:
    assert verdict(found_with(), 0.05) == "A better"
    assert verdict(found_with(difference=-0.05, low=-0.09, high=-0.01), 0.05) == "B better"
    assert verdict(found_with(), 0.06).startswith("cannot tell, about ")
    assert verdict(found_with(low=-0.01), 0.05).startswith("cannot tell, about ")
    behind = found_with(difference=-0.05, low=-0.09, high=0.0)
    assert verdict(behind, 0.05).startswith("cannot tell, about ")
    assert verdict(found_with(low=0.0), 0.05).startswith("cannot tell, about ")


def test_cases_needed_are_those_of_the_power_formula() -> None:
    found = found_with(difference=0.02, p=0.3, example_error=0.02)
    wanted = 100 * ((1.959964 + 0.841621) * 0.02 / 0.02) ** 2 - 100
    assert wanted == pytest.approx(684.9, abs=0.1)
    assert cases_needed(found, 0.3) == 690
    assert verdict(found, 0.3) == "cannot tell, about 690 more cases needed"


def test_more_cases_are_needed_where_more_pairs_are_judged() -> None:
    alone, among = cases_needed(found_with(), 0.02), cases_needed(found_with(), 0.2)
    assert alone is not None
    assert among is not None
    assert among > alone


def test_more_cases_do_not_help_where_seeds_differ() -> None:
    assert cases_needed(found_with(seed_error=0.02), 0.2) is None
    assert cases_needed(found_with(difference=0.0), 1.0) is None
    assert verdict(found_with(low=-0.02, seed_error=0.02), 0.02).endswith("more seeds needed")


@pytest.mark.slow
def test_the_cases_needed_do_tell_four_times_in_five() -> None:
    generator = np.random.default_rng(1)
    found = found_with(difference=0.1, example_error=1 / 10, p=0.3)
    more = cases_needed(found, 0.3)
    assert more is not None
    samples = generator.normal(0.1, 1, size=(2000, 100 + more))
    told = stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05
    assert told.mean() == pytest.approx(0.8, abs=0.03)


def test_a_bootstrap_is_drawn_by_its_seed(accuracy: Metric) -> None:
    found = tally(accuracy, ["a"] * 9, [["a", "b", "b"] * 3])
    one = bootstrap(found, 9, 1, 50, 0)
    assert (one == bootstrap(found, 9, 1, 50, 0)).all()
    assert (one != bootstrap(found, 9, 1, 50, 1)).any()


def test_bca_of_symmetric_scores_is_nearly_the_percentiles() -> None:
    own = np.concatenate([np.linspace(0, 1, 50), np.linspace(0, 1, 50)])
    means = bootstrap_means(own)
    assert bca(own, means) == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=2e-3)


def test_where_two_seeds_are_all_that_keeps_a_verdict_seeds_are_asked_for() -> None:
    found = Paired(0.4, -0.1, 0.9, 0.15, 200, example_error=0.03, seed_error=0.04)
    assert verdict(found, 0.15) == "cannot tell, more seeds needed"


def test_seeds_that_are_matched_are_compared_in_pairs(
    closeness: Metric, make_report: MakeReport
) -> None:
    def report(level: float) -> Report:
        return make_report(closeness, [1.0] * 50, [level] * 50)

    first = [report(level) for level in (0.2, 0.5, 0.8)]
    second = [report(level - 0.01) for level in (0.21, 0.5, 0.79)]
    apart = paired(closeness, first, second, resamples=200)
    pairs = paired(closeness, first, second, matched=True, resamples=200)
    assert apart is not None
    assert pairs is not None
    assert apart.difference == pytest.approx(pairs.difference) == pytest.approx(0.01)
    width = 4.303 * 0.01 / 3**0.5  # differences of 0, 0.01 and 0.02
    assert (pairs.low, pairs.high) == pytest.approx((0.01 - width, 0.01 + width), abs=1e-4)
    assert apart.high - apart.low > 20 * (pairs.high - pairs.low)
    assert apart.p > 0.9 > pairs.p
