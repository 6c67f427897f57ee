"""The statistics of comparisons on simulated truth: false verdicts, coverage, optimism.

    python -m benchmarks.statistics_check [comparisons]

Examples are as hard for one method as for another (correlation ½); a seed shifts its method. The
table is benchmarks/statistics_check.md.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from afina.evaluation.compare import Entry, verdicts
from afina.evaluation.optimism import optimism
from afina.evaluation.report import Report, Row
from afina.evaluation.statistics import interval, interval_over_seeds, paired
from afina.solver import Prediction, Usage
from afina.task.metrics import metric_named
from benchmarks.machine import machine

HERE = Path(__file__).parent
COMPARISONS = 1_000
PERMUTATIONS = 999
# How much seeds differ, by the deviation of a seed's accuracy.
DIFFERING = {"": 0.0, " that differ by 2 points": 0.05, " by 3.5": 0.1, " by 7": 0.2}
ACCURACY = metric_named("accuracy")


@dataclass(frozen=True)
class World:
    """Methods of these true scores on n examples, each with seeds of this deviation (probits)."""

    truth: tuple[float, ...]
    n: int
    seeds: int = 1
    shift: float = 0.0

    def draw(self, generator: np.random.Generator) -> list[list[list[bool]]]:
        """Right or wrong by method, seed and example."""
        shared = generator.standard_normal(self.n)
        found = []
        for truth in self.truth:
            own = generator.standard_normal(self.n)
            centre = stats.norm.ppf(truth) * np.sqrt(1 + self.shift**2)
            found.append(
                [
                    (
                        np.sqrt(0.5) * shared
                        + np.sqrt(0.4) * own
                        + np.sqrt(0.1) * generator.standard_normal(self.n)
                        < centre + self.shift * generator.standard_normal()
                    ).tolist()
                    for _ in range(self.seeds)
                ]
            )
        return found


def report(right: list[bool]) -> Report:
    """A report of answers that are right or wrong."""
    rows = tuple(
        Row(f"x{n}", "a", Prediction({"y": "a" if hit else "b"}), float(hit))
        for n, hit in enumerate(right)
    )
    score = float(np.mean(right))
    counts = (len(right), 0, 0.0, Usage(), None, None, rows)
    return Report("accuracy", "dev", "y", score, None, None, *counts)


def entries(world: World, generator: np.random.Generator) -> list[Entry]:
    """The world's methods as entries of a comparison."""
    return [
        Entry(f"m{place}", "m", tuple(range(world.seeds)), tuple(map(report, seeds)))
        for place, seeds in enumerate(world.draw(generator))
    ]


def false_verdicts(world: World, times: int) -> str:
    """How often any of equal methods is called better than another."""
    wrong = 0
    for seed in range(times):
        made = entries(world, np.random.default_rng(seed))
        found = verdicts(made, [each.method for each in made], ACCURACY, PERMUTATIONS, seed)
        wrong += any("better" in each.verdict for each in found)
    return share(wrong, times)


def seed_coverage(world: World, times: int) -> str:
    """How often the interval over seeds holds the true score."""
    held = 0
    for seed in range(times):
        (made,) = entries(world, np.random.default_rng(seed))
        found = interval_over_seeds(ACCURACY, made.reports, seed=seed)
        assert found is not None
        held += found[0] <= world.truth[0] <= found[1]
    return share(held, times)


def paired_coverage(world: World, times: int) -> str:
    """How often the interval of a difference holds the true one."""
    held = 0
    for seed in range(times):
        one, other = entries(world, np.random.default_rng(seed))
        found = paired(ACCURACY, one.reports, other.reports, resamples=10, seed=seed)
        assert found is not None
        held += found.low <= world.truth[0] - world.truth[1] <= found.high
    return share(held, times)


def accuracy_coverage(truth: float, n: int) -> Callable[[int], str]:
    """How often Wilson's interval holds the true accuracy."""

    def count(times: int) -> str:
        hits = np.random.default_rng(0).random((times, n)) < truth
        held = 0
        for row in hits:
            answers = ["a" if hit else "b" for hit in row]
            low, high = interval(ACCURACY, ["a"] * n, list(answers))
            held += low <= truth <= high
        return share(held, times)

    return count


def optimism_error(world: World, times: int) -> str:
    """The mean optimism told, and the true one, in points."""
    told, true = [], []
    for seed in range(times):
        drawn = world.draw(np.random.default_rng(seed))
        found = optimism([[float(hit) for hit in seeds[0]] for seeds in drawn], seed=seed)
        told.append(found.optimism)
        true.append(found.score - world.truth[found.best])
    return f"told {100 * np.mean(told):.2f}, true {100 * np.mean(true):.2f} points"


def share(count: int, times: int) -> str:
    """A share in per cent, with its interval."""
    bounds = stats.binomtest(count, times).proportion_ci(method="wilson")
    return f"{100 * count / times:.1f} % [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"


def lines(times: int) -> list[str]:
    """The table's rows."""
    spread = tuple(np.linspace(0.6, 0.8, 20).tolist())
    checks: list[tuple[str, str, Callable[[int], str]]] = [
        (
            "better among 4 equal methods, n = 200",
            "≤ 5 %",
            lambda t: false_verdicts(World((0.7,) * 4, 200), t),
        ),
        (
            "the same with 3 seeds that differ",
            "≤ 5 %",
            lambda t: false_verdicts(World((0.7,) * 4, 200, 3, 0.1), t),
        ),
        ("Wilson's interval, 0.7, n = 200", "95 ± 1.5 %", accuracy_coverage(0.7, 200)),
        ("Wilson's interval, 0.9, n = 100", "95 ± 1.5 %", accuracy_coverage(0.9, 100)),
        (
            "difference of 0.7 and 0.75, n = 200",
            "95 ± 1.5 %",
            lambda t: paired_coverage(World((0.7, 0.75), 200), t),
        ),
        *[
            (
                f"interval over 3 seeds{differing}, n = 200",
                "95 ± 1.5 %",
                lambda t, shift=shift: seed_coverage(World((0.7,), 200, 3, shift), t),
            )
            for differing, shift in DIFFERING.items()
        ],
        *[
            (
                f"difference of 0.7 and 0.75 with 3 seeds{differing}, n = 200",
                "95 ± 1.5 %",
                lambda t, shift=shift: paired_coverage(World((0.7, 0.75), 200, 3, shift), t),
            )
            for differing, shift in DIFFERING.items()
        ],
        (
            "optimism of 20 equal, n = 100",
            "within 1 point",
            lambda t: optimism_error(World((0.7,) * 20, 100), t),
        ),
        (
            "optimism of 20 from 0.6 to 0.8, n = 100",
            "within 1 point",
            lambda t: optimism_error(World(spread, 100), t),
        ),
        (
            "optimism of 20 equal, n = 300",
            "within 1 point",
            lambda t: optimism_error(World((0.7,) * 20, 300), t),
        ),
    ]
    found = []
    for name, wanted, check in checks:
        found.append(f"| {name} | {wanted} | {check(times)} |")
        print(found[-1], file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Write the table."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else COMPARISONS
    text = "\n".join(
        [
            "# The statistics on simulated truth",
            "",
            f"{times:,} simulations each, with {PERMUTATIONS} permutations a test.",
            machine(("afina", "numpy", "scipy")),
            "",
            "| what | wanted | found |",
            "| --- | --- | --- |",
            *lines(times),
            "",
        ]
    )
    (HERE / "statistics_check.md").write_text(text)


if __name__ == "__main__":
    main()
