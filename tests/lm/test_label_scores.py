import math

import pytest

from afina.lm.label_scores import Step, likely_scores, written_scores


def step(token: str, **shares: float) -> Step:
    return Step(
        token, math.log(shares[token]), [(name, math.log(share)) for name, share in shares.items()]
    )


def test_first_tokens_decide_between_labels() -> None:
    found = written_scores([step("pos", pos=0.6, neg=0.2, the=0.2)], ["positive", "negative"])
    assert found == pytest.approx({"positive": 0.75, "negative": 0.25})


def test_labels_that_part_late_share_what_came_before() -> None:
    steps = [step("card", card=0.8, top=0.2), step("_lost", _lost=0.7, _stolen=0.2, _x=0.1)]
    found = written_scores(steps, ["card_lost", "card_stolen", "top_up"])
    whole = 0.8 * 0.7 + 0.8 * 0.2 + 0.2
    expected = {"card_lost": 0.56, "card_stolen": 0.16, "top_up": 0.2}
    assert found == pytest.approx({label: each / whole for label, each in expected.items()})


def test_an_alternative_of_several_labels_is_halved() -> None:
    found = written_scores([step("x", x=0.5, card=0.5)], ["card_lost", "card_stolen", "x"])
    assert found == pytest.approx({"card_lost": 0.25, "card_stolen": 0.25, "x": 0.5})


def test_a_label_that_begins_another_is_told_by_what_follows() -> None:
    no, none = "no", "none"
    ended = written_scores([step("no", no=1.0)], [no, none])
    assert ended == {"no": 1.0, "none": 0.0}
    dot = Step(".", math.log(0.75), [(".", math.log(0.75)), ("ne", math.log(0.25))])
    assert written_scores([step("no", no=1.0), dot], [no, none]) == pytest.approx(
        {"no": 0.75, "none": 0.25}
    )


def test_case_and_blanks_do_not_count() -> None:
    steps = [Step(" ", 0.0, [(" ", 0.0)]), Step("Pos", 0.0, [("Pos", 0.0)])]
    assert written_scores(steps, ["positive", "negative"]) == {"positive": 1.0, "negative": 0.0}


def test_a_word_that_only_begins_with_a_label_is_another() -> None:
    assert written_scores([step("nobody", nobody=1.0)], ["no", "yes"]) == {}
    assert written_scores([], ["no", "yes"]) == {}


def test_whole_texts_are_compared_by_a_softmax() -> None:
    found = likely_scores({"a": math.log(0.03) - 800, "b": math.log(0.01) - 800})
    assert found == pytest.approx({"a": 0.75, "b": 0.25})
    assert likely_scores({"a": -math.inf, "b": -math.inf}) == {}
