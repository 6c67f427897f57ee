from afina.errors import CallError
from afina.lm.lm import LM, ask
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM


def said(*turns: str, max_tokens: int = 256) -> Request:
    return Request(tuple(Message("user", turn) for turn in turns), max_tokens=max_tokens)


def texts(lm: LM, *requests: Request) -> list[str]:
    return [each.text for each in ask(lm, requests, 1) if isinstance(each, Reply)]


def test_a_table_answers_the_last_turn_or_the_whole() -> None:
    lm = ScriptedLM({"b": "last", "a\n\nc": "whole"})
    assert isinstance(lm, LM)
    assert texts(lm, said("a", "b"), said("a", "c"), said("b")) == ["last", "whole", "last"]
    assert lm.calls == 3
    assert lm.asked[2] == said("b")


def test_a_request_that_a_table_does_not_know_is_missing() -> None:
    lm = ScriptedLM({"a": "1"})
    assert ask(lm, [said("b")]) == [
        Missing("expected a request that the script knows, got 'b'; add it")
    ]
    assert lm.calls == 1


def test_a_sequence_is_said_in_order_and_ends() -> None:
    lm = ScriptedLM(["x", "y"])
    assert texts(lm, said("a"), said("a")) == ["x", "y"]
    (missing,) = ask(lm, [said("a")])
    assert isinstance(missing, Missing)
    assert "at most 2 calls" in missing.reason


def test_a_function_reads_the_request() -> None:
    def loud(request: Request) -> str:
        if request.seed == 0:
            raise CallError("no zeros", attempts=3)
        return request.messages[0].content.upper()

    lm = ScriptedLM(loud)
    assert texts(lm, said("a")) == ["A"]
    assert ask(lm, [Request((Message("user", "a"),), seed=0)]) == [Missing("no zeros", 3)]


def test_words_are_counted_and_priced() -> None:
    lm = ScriptedLM({"how are  you": "very well"}, price=0.5)
    assert ask(lm, [said("how are  you")]) == [Reply("very well", read=3, written=2, cost=2.5)]
    assert lm.most(said("how are  you", max_tokens=7)) == Reply("", read=3, written=7, cost=5.0)
    unpriced = ScriptedLM({"a": "b"}, price=None)
    assert ask(unpriced, [said("a")]) == [Reply("b", read=1, written=1, cost=None)]
    assert unpriced.most(said("a")).cost is None


def test_no_reply_is_more_than_the_most() -> None:
    lm = ScriptedLM({"a": "one  two\nthree four"})
    (reply,) = ask(lm, [said("a", max_tokens=3)])
    assert reply == Reply("one  two\nthree", "length", read=1, written=3, cost=0.0)
    assert texts(lm, said("a", max_tokens=4)) == ["one  two\nthree four"]
    assert texts(lm, said("a", max_tokens=0)) == [""]


def test_a_script_is_told_by_its_content() -> None:
    table = ScriptedLM({"a": "1", "b": "2"}).identity
    assert table == ScriptedLM({"b": "2", "a": "1"}).identity
    others = [
        ScriptedLM({"a": "1"}),
        ScriptedLM({"a": "1", "b": "3"}),
        ScriptedLM(["a", "b"]),
        ScriptedLM(["b", "a"]),
        ScriptedLM({"a": "1", "b": "2"}, name="other"),
    ]
    assert len({str(each.identity) for each in others} | {str(table)}) == 6


def test_a_function_is_told_by_its_name_and_without_one_by_nothing() -> None:
    def first(request: Request) -> str:
        return "1"

    assert ScriptedLM(first, name="f").identity == ScriptedLM(first, name="f").identity
    assert ScriptedLM(first).identity != ScriptedLM(first).identity
