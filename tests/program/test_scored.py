"""Marks set side by side: what is missing counts for nobody."""

from afina.program.scored import Mark, Scored, differences
from afina.program.trace import Trace
from afina.task.example import Example


def scored(*scores: float | None) -> Scored:
    trace = Trace((), None)
    return Scored(
        tuple(
            Mark(Example({"n": n}, {}, id=str(n)), score, "", trace)
            for n, score in enumerate(scores)
        )
    )


def test_what_either_lacks_is_no_difference() -> None:
    one, other = scored(1.0, None, 0.5, 1.0), scored(0.0, 1.0, 1.0, None)
    assert differences(one, other) == [1.0, -0.5]


def test_a_failed_call_is_no_gain_of_the_other() -> None:
    assert sum(differences(scored(1.0, 1.0), scored(1.0, None))) == 0
    assert sum(differences(scored(1.0, None), scored(1.0, 1.0))) == 0
