"""What pays from how many calls on."""

import pytest

from afina.evaluation.cost import Bill, break_even, each_answer
from afina.solver import Usage

WRITTEN, TUNED = Bill("few-shot", 0.0, 0.002), Bill("prompt-tuning", 3.0, 0.0005)


def test_at_the_break_even_both_cost_the_same() -> None:
    found = break_even("cost", TUNED, WRITTEN)
    assert (found.first, found.second) == (WRITTEN, TUNED)
    assert found.calls == pytest.approx(2000)
    assert WRITTEN.total(2000) == pytest.approx(TUNED.total(2000))
    assert WRITTEN.total(1999) < TUNED.total(1999)
    assert WRITTEN.total(2001) > TUNED.total(2001)


@pytest.mark.parametrize("each", [0.002, 0.003])
def test_what_is_dearer_at_both_ends_never_pays(each: float) -> None:
    assert break_even("cost", WRITTEN, Bill("copro", 1.0, each)).calls is None


def test_an_answer_takes_its_share() -> None:
    found = each_answer(Usage(20, 1000, 0.5), 10, 12.0)
    assert found.to_json() == {"calls": 2.0, "tokens": 100.0, "cost": 0.05, "seconds": 0.012}
    assert each_answer(Usage(), 0, None).to_json()["seconds"] is None
