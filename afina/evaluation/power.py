"""Power: how many examples a paired difference needs, and which difference a number of them shows.

With ``s`` the standard deviation of the differences of single examples, a difference ``d`` is
shown by ``n = ((z(1 - level / 2) + z(power)) s / d)²`` examples (J. Cohen, "Statistical Power
Analysis for the Behavioral Sciences", 1988). Scores of 0 and 1 that differ on a share ``w`` of the
examples have ``s² = w - d²`` (R. J. Connor, "Sample size for testing differences in proportions for
the paired-sample design", Biometrics 1987, https://doi.org/10.2307/2531961).
"""

import math

from scipy import stats

from afina.evaluation.statistics import ALPHA, POWER, rounded_up


def reach(level: float = ALPHA) -> float:
    """How many standard errors a difference must be to be seen four times in five."""
    return float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER))


def examples_needed(difference: float, deviation: float, level: float = ALPHA) -> int:
    """How many examples show a difference above 0 four times in five.

    >>> examples_needed(0.03, 0.4)
    1400
    """
    assert difference > 0
    return rounded_up(max(1, math.ceil((reach(level) * deviation / difference) ** 2)))


def difference_shown(examples: int, deviation: float, level: float = ALPHA) -> float:
    """The smallest difference that a number of examples shows four times in five.

    >>> round(difference_shown(1400, 0.4), 3)
    0.03
    """
    return reach(level) * deviation / math.sqrt(examples)


def deviation_of_shares(differing: float, difference: float = 0.0) -> float:
    """The deviation of paired scores of 0 and 1 that differ on a share of the examples.

    >>> deviation_of_shares(0.25)
    0.5
    """
    assert difference <= differing <= 1
    return math.sqrt(differing - difference**2)
