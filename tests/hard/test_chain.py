"""A chain hands on all values, and asks prompts through plain functions."""

from collections.abc import Mapping

import pytest

from afina.errors import CallError, InputError
from afina.hard.chain import Chain, asking
from afina.hard.prompt import Prompt
from afina.lm.request import Message
from afina.solver import Values
from afina.task.signature import Signature


def double(values: Values) -> Values:
    return {"number": 2 * int(str(values["number"]))}


def add(values: Values) -> Values:
    return {"sum": int(str(values["number"])) + 1}


def test_a_step_reads_what_came_before_and_adds_its_own() -> None:
    chain = Chain.of(double) | add
    given = {"number": 3, "kept": "x"}
    assert chain(given) == {"number": 6, "kept": "x", "sum": 7}
    assert given == {"number": 3, "kept": "x"}


def test_chains_join_in_any_grouping() -> None:
    one, two, three = (Chain.of(step) for step in (double, add, double))
    assert (one | two) | three == one | (two | three) == Chain.of(double, add, double)


def test_a_chain_is_a_step() -> None:
    assert Chain.of(double, Chain.of(double, add))({"number": 1}) == {"number": 4, "sum": 5}
    assert Chain.of()({"number": 1}) == {"number": 1}


def test_a_step_that_changes_what_it_was_given_changes_nothing() -> None:
    def spoil(values: Values) -> Values:
        assert isinstance(values, dict)
        values.clear()
        return {}

    assert Chain.of(spoil)({"number": 1}) == {"number": 1}


def test_a_step_that_returns_no_values_is_refused() -> None:
    def silent(values: Values) -> Mapping[str, str]:
        return None  # type: ignore[return-value]

    with pytest.raises(InputError, match="expected the values that silent adds, came None"):
        Chain.of(silent)({})


FIRST = Prompt.of(Signature.parse("question -> query"))
SECOND = Prompt.of(Signature.parse("question, query -> answer: yes | no"))


def test_prompts_are_asked_one_after_the_other() -> None:
    asked: list[tuple[Message, ...]] = []

    def ask(messages: tuple[Message, ...]) -> str:
        asked.append(messages)
        return "Tall towers" if messages[-1].content.endswith("query:") else "**Answer:** Yes."

    chain = asking(FIRST, ask) | asking(SECOND, ask)
    found = chain({"question": "Is it tall?"})
    assert found == {"question": "Is it tall?", "query": "Tall towers", "answer": "yes"}
    assert asked == [FIRST.messages({"question": "Is it tall?"}), SECOND.messages(found)]


def test_a_reply_that_cannot_be_read_stops_the_chain() -> None:
    """Broken by handing on nothing: the next prompt then asks about an empty text."""
    chain = asking(SECOND, lambda messages: "yes or no") | add
    with pytest.raises(CallError, match=r"cannot be read, two labels: .* it began 'yes or no'"):
        chain({"question": "q", "query": "x"})
