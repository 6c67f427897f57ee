import random

import pytest

from afina.errors import InputError
from afina.lm.retry import Patience, Setback, again, pause_before, told_wait

WALL = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def test_pauses_are_drawn_between_nothing_and_a_width_that_doubles() -> None:
    patience, generator = Patience(first=1.0, longest=10.0), random.Random(0)
    for attempt, widest in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (60, 10.0)]:
        drawn = [pause_before(attempt, Setback(""), patience, generator) for _ in range(400)]
        assert all(0 <= each <= widest for each in drawn)
        assert max(drawn) > 0.97 * widest
        assert sum(drawn) / len(drawn) == pytest.approx(widest / 2, rel=0.1)


def test_a_told_wait_is_kept_and_spread() -> None:
    generator = random.Random(0)
    drawn = [pause_before(9, Setback("", told=7), Patience(), generator) for _ in range(100)]
    assert min(drawn) >= 7
    assert 7.4 < max(drawn) <= 7.5


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("Tue, 99 Nov 2023 22:13:50 GMT", None),
    ],
)
def test_the_wait_is_read_as_seconds_or_a_date(text: str, wait: float | None) -> None:
    assert told_wait({"retry-after": text}, WALL) == wait


def test_milliseconds_are_finer_than_seconds() -> None:
    assert told_wait({"retry-after": "2", "retry-after-ms": "1250"}, WALL) == 1.25
    assert told_wait({}, WALL) is None


def test_only_what_may_pass_is_tried_again() -> None:
    tried = {code for code in range(200, 600) if again(code)}
    assert tried == {408, 409, 425, 429, *range(500, 600)} - {501, 505}


def test_settings_that_allow_no_call_are_refused() -> None:
    with pytest.raises(InputError, match="expected attempts over 0, came 0"):
        Patience(attempts=0)
    with pytest.raises(InputError, match="expected deadline over 0, came -1"):
        Patience(deadline=-1)
    assert Patience(first=0, longest=0).first == 0
