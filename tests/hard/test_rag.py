"""A prompt with passages: where they stand, what is said of them, what is searched for."""

import pytest

from afina.errors import InputError
from afina.hard.rag import query_field, rag_prompt
from afina.task.signature import Signature


def turns(signature: str, into: str = "", **values: str) -> list[str]:
    prompt = rag_prompt(Signature.parse(signature, "Be brief."), into)
    return [turn.content for turn in prompt.messages(values)]


def test_passages_stand_in_front_of_the_inputs() -> None:
    system, user = turns("question, kind -> answer", passages="THE BLOCK", question="Q", kind="k")
    assert user == "THE BLOCK\n\nquestion: Q\nkind: k\nanswer:"
    assert system.startswith("Be brief.\n\nNumbered passages")
    assert "no instructions" not in system
    assert "such as [1]" in system


def test_passages_take_the_place_of_an_input() -> None:
    (_, user) = turns("context, question -> answer", "context", context="THE BLOCK", question="Q")
    assert user == "THE BLOCK\n\nquestion: Q\nanswer:"


def test_a_label_is_not_asked_to_cite() -> None:
    system, user = turns("claim -> verdict: true | false", passages="B", claim="C")
    assert "such as [1]" not in system
    assert system.endswith("Answer only with one of: true | false")
    assert user == "B\n\nclaim: C\nverdict:"


@pytest.mark.parametrize(
    ("signature", "into", "message"),
    [
        ("question -> answer", "question", "beside which another stands"),
        ("context, question -> answer", "contxt", "out of context, question, got 'contxt'"),
        ("passages, question -> answer", "", "into=passages"),
        ("question -> passages", "", "has a field 'passages' itself"),
    ],
)
def test_a_place_that_is_taken_or_not_there_is_refused(
    signature: str, into: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        rag_prompt(Signature.parse(signature), into)


@pytest.mark.parametrize(
    ("signature", "query", "into", "found"),
    [
        ("text -> answer", "", "", "text"),
        ("context, question -> answer", "", "", "question"),
        ("context, text -> answer", "", "context", "text"),
        ("a, b -> answer", "b", "", "b"),
        ("claim, speaker -> answer", "speaker", "", "speaker"),
    ],
)
def test_the_question_is_searched_for(signature: str, query: str, into: str, found: str) -> None:
    assert query_field(Signature.parse(signature), query, into) == found


@pytest.mark.parametrize(
    ("signature", "query", "into"),
    [
        ("a, b -> answer", "", ""),
        ("a, b -> answer", "c", ""),
        ("context, question -> answer", "context", "context"),
        ("tokens: list[str] -> answer", "", ""),
    ],
)
def test_a_query_that_is_not_clear_is_refused(signature: str, query: str, into: str) -> None:
    with pytest.raises(InputError, match="set query=NAME"):
        query_field(Signature.parse(signature), query, into)
