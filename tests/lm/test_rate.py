import pytest

from afina.errors import InputError
from afina.lm.rate import Bucket, Limits, Rate
from tests.lm.slow_time import SlowTime


def test_requests_are_spread_over_the_minute() -> None:
    clock = SlowTime()
    rate, sent = Rate(Limits(requests_per_minute=120), clock.now), []
    for _ in range(600):
        clock.seconds += rate.claim(1)
        sent.append(clock.seconds)
    busiest = max(sum(start <= each < start + 60 for each in sent) for start in sent)
    assert 120 <= busiest <= 122
    assert sent[-1] == pytest.approx(598 / 2)


def test_a_request_longer_than_a_second_of_tokens_waits_for_them() -> None:
    clock = SlowTime()
    bucket = Bucket(600, clock.now)
    assert bucket.take(10) == 0
    assert bucket.take(50) == pytest.approx(5)
    assert bucket.take(10) == pytest.approx(6)


def test_tokens_that_were_not_used_are_given_back() -> None:
    clock = SlowTime()
    rate = Rate(Limits(tokens_per_minute=600), clock.now)
    assert rate.claim(110) == pytest.approx(10)
    rate.settle(110, 20)
    assert rate.claim(0) == pytest.approx(1)


def test_rest_saves_up_no_more_than_a_second() -> None:
    clock = SlowTime()
    bucket = Bucket(600, clock.now)
    clock.seconds = 1000
    assert bucket.take(10) == 0
    assert bucket.take(1) == pytest.approx(0.1)


def test_the_longest_hold_counts_for_all() -> None:
    clock = SlowTime()
    rate = Rate(Limits(), clock.now)
    assert rate.held() == 0
    rate.hold(7)
    rate.hold(3)
    assert rate.held() == 7
    clock.seconds = 8
    assert rate.held() == 0


@pytest.mark.parametrize(
    "name", ["concurrency", "requests_per_minute", "tokens_per_minute", "answer_bytes"]
)
def test_a_limit_that_lets_nothing_through_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"expected {name} over 0, came 0"):
        Limits(**{name: 0})
