"""A chain hands on all values, and is a program like any other."""

from collections.abc import Mapping

import pytest

from afina.errors import InputError
from afina.hard.prompt import Prompt
from afina.lm.scripted import ScriptedLM
from afina.program.chain import Chain
from afina.program.running import traces_of
from afina.solver import Values
from afina.task.signature import Signature

SUM = Signature.parse("number: int -> sum: int")
FIRST = Prompt.of(Signature.parse("question -> query"))
SECOND = Prompt.of(Signature.parse("question, query -> answer: yes | no"))


def double(values: Values) -> Values:
    return {"number": 2 * int(str(values["number"]))}


def add(values: Values) -> Values:
    return {"sum": int(str(values["number"])) + 1}


def run(chain: Chain, number: int) -> Values | None:
    given = {"number": number, "kept": "x"}
    (trace,) = traces_of(chain.program("c", SUM), [given], ScriptedLM({}))
    assert given == {"number": number, "kept": "x"}
    return trace.outputs


def test_a_link_reads_what_came_before_and_adds_its_own() -> None:
    assert run(Chain.of(double) | add, 3) == {"number": 6, "kept": "x", "sum": 7}


def test_chains_join_in_any_grouping() -> None:
    one, two, three = (Chain.of(link) for link in (double, add, double))
    assert (one | two) | three == one | (two | three) == Chain.of(double, add, double)


def test_a_link_that_changes_what_it_was_given_changes_nothing() -> None:
    def spoil(values: Values) -> Values:
        assert isinstance(values, dict)
        values.clear()
        return {}

    assert run(Chain.of(spoil, add), 1) == {"number": 1, "kept": "x", "sum": 2}


def test_a_link_that_returns_no_values_is_refused() -> None:
    def silent(values: Values) -> Mapping[str, str]:
        return None  # type: ignore[return-value]

    with pytest.raises(InputError, match="expected the values that silent adds, came None"):
        run(Chain.of(silent, add), 1)


def test_prompts_are_asked_one_after_the_other_and_programs_too() -> None:
    whole = Signature.parse("question -> answer: yes | no")
    chain = Chain.of(find=FIRST) | Chain.of(tell=SECOND)
    row = {"question": "Is it tall?"}
    for program in (
        chain.program("c", whole),
        Chain.of(all=chain.program("c", whole)).program("d", whole),
    ):
        lm = ScriptedLM(["Tall towers", "**Answer:** Yes."])
        (trace,) = traces_of(program, [row], lm)
        assert trace.outputs == {**row, "query": "Tall towers", "answer": "yes"}
        assert [request.messages for request in lm.asked] == [
            FIRST.messages(row),
            SECOND.messages(trace.outputs),
        ]


def test_a_reply_that_cannot_be_read_stops_the_chain() -> None:
    """Broken by handing on nothing: the next link would then see an empty answer."""
    chain = Chain.of(tell=SECOND) | add
    row = {"question": "q", "query": "x"}
    program = chain.program("c", Signature.parse("question, query -> sum: int"))
    (trace,) = traces_of(program, [row], ScriptedLM(["yes or no"]))
    assert (trace.outputs, trace.fault) == (None, "reply")


def test_two_links_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="the name 'tell' stands twice"):
        (Chain.of(tell=FIRST) | Chain.of(tell=SECOND)).program("c", SUM)
