"""Token files: rows hold whole conversations, places begin anew, answers are found."""

import numpy as np

from recipes.stock import Stock, answers, positions
from recipes.vocabulary import ASSISTANT, END, PAD, START, USER

TALK = [START, USER, 50, ASSISTANT, 60, 61, END, USER, 51, ASSISTANT, 62, END]


def stock(count: int = 1200) -> Stock:
    talks = np.array(TALK * count, dtype=np.uint16)
    text = np.arange(40, 4000, dtype=np.uint16)
    return Stock(text, text[:1000], talks, np.arange(count + 1) * len(TALK))


def test_an_answer_is_wanted_with_its_end_and_nothing_else_is() -> None:
    (found,) = answers(np.array([[*TALK, PAD]]))
    assert np.array([*TALK, PAD])[found].tolist() == [60, 61, END, 62, END]


def test_places_are_counted_from_each_conversations_start() -> None:
    (found,) = positions(np.array([[*TALK, *TALK, PAD]]))
    assert found.tolist() == [*range(12), *range(13)]


def test_rows_hold_whole_conversations_and_padding() -> None:
    rows = stock().talk_rows(np.random.default_rng(0), 5, 30)
    assert rows.tolist() == [[*TALK, *TALK, *[PAD] * 6]] * 5


def test_text_begins_with_a_start_and_goes_on_as_it_stands() -> None:
    rows = stock().text_rows(np.random.default_rng(0), 4, 9)
    assert (rows[:, 0] == START).all()
    assert (np.diff(rows[:, 1:].astype(int)) == 1).all()


def test_what_is_kept_is_never_read() -> None:
    whole = stock()
    assert (whole.first, whole.end) == (0, 200)
    assert (whole.kept.first, whole.kept.end) == (200, 1200)
    assert whole.kept.text is whole.valid
