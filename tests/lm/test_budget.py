import math
import random

import pytest

from afina.errors import BudgetError, InputError
from afina.lm.budget import NOTHING, PICO, Amount, Budget, amount_of
from afina.lm.reply import Reply


@pytest.mark.parametrize("name", ["calls", "tokens", "money", "seconds"])
@pytest.mark.parametrize("cap", [-1, math.nan, math.inf, "1", True])
def test_a_cap_that_is_no_number_of_at_least_0_is_refused(name: str, cap: object) -> None:
    with pytest.raises(InputError, match=f"at least 0 as the budget's {name}, got"):
        Budget(**{name: cap})  # type: ignore[arg-type]  # what a user may write


def test_calls_and_tokens_are_whole() -> None:
    with pytest.raises(InputError, match="a whole number"):
        Budget(calls=1.5)  # type: ignore[arg-type]  # what a user may write
    assert Budget(money=1, seconds=2) == Budget(money=1.0, seconds=2.0)


@pytest.mark.parametrize("part", ["calls", "tokens", "picodollars"])
def test_a_call_fits_waits_or_goes_over(part: str) -> None:
    budget = Budget(calls=10, tokens=10, money=10 / PICO)
    most = Amount(**{part: 4})
    spent = Amount(**{part: 6})
    assert budget.admits(most, spent, NOTHING)
    assert not budget.admits(most, Amount(**{part: 5}), Amount(**{part: 2}))
    with pytest.raises(BudgetError, match=r"expected at most .* are spent and this call may take"):
        budget.admits(most, spent + Amount(**{part: 1}), NOTHING)


def test_a_cap_of_0_is_a_cap() -> None:
    assert Budget(tokens=0, money=0.0).admits(Amount(1), NOTHING, NOTHING)
    with pytest.raises(BudgetError, match="at most 0 calls: 0 are spent"):
        Budget(calls=0).admits(Amount(1), NOTHING, NOTHING)


def test_no_cap_admits_everything() -> None:
    assert Budget().admits(Amount(10**9, 10**15, 10**18), Amount(10**9), Amount(10**9))


def test_money_is_summed_without_drift() -> None:
    """Three times 0.1 is over 0.3 in floats; ten thousand calls of odd prices end at nothing."""
    cent = amount_of(Reply("", cost=0.1))
    assert Budget(money=0.3).admits(cent, cent + cent, NOTHING)
    draws = random.Random(0)
    amounts = [amount_of(Reply("", cost=draws.random() / 1000)) for _ in range(10_000)]
    total = sum(amounts, NOTHING)
    draws.shuffle(amounts)
    for each in amounts:
        total -= each
    assert total == NOTHING


def test_what_a_reply_took_is_its_tokens_and_its_known_cost() -> None:
    assert amount_of(Reply("", read=3, written=4, cost=0.25)) == Amount(1, 7, PICO // 4)
    assert amount_of(Reply("", cost=None)) == Amount(1)
    assert Amount(1, 7, PICO // 4).dollars == 0.25
