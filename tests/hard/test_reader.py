"""The reader reads what is meant, names what it repaired, and guesses nothing."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.hard.reader import Reading, read_answer
from afina.solver import Span, Value
from afina.task.signature import Signature

MOOD = Signature.parse("review -> mood: good | bad")
WHOLE = Signature.parse("question -> answer: int")
NUMBER = Signature.parse("question -> answer: float")
TRUTH = Signature.parse("question -> answer: bool")
TEXT = Signature.parse("question -> answer")
LIST = Signature.parse("question -> answer: list[str]")
EXTRACT = Signature.parse("context, question -> answer: spans")
STEPS = Signature.parse("question -> reasoning, answer: yes | no")
OPTIONS = Signature.parse('question -> answer: "(A)" | "(B)" | "(C)"')
RECORDED = Path("/work/shared/data")


def read(text: str, signature: Signature) -> tuple[Value, tuple[str, ...]]:
    reading = read_answer(text, signature)
    assert reading.outputs is not None, reading.reason
    assert reading.reason == ""
    return reading.outputs[signature.target.name], reading.repairs


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        ("good", ()),
        (" good\n", ()),
        ("Good", ("case",)),
        ("GOOD!", ("punctuation",)),
        ("**good**", ("bold",)),
        ("`good`", ("bold",)),
        ('"good"', ("quotes",)),
        ("“good”", ("quotes",)),
        ("```\ngood\n```", ("fence",)),
        ('{"mood": "good"}', ("JSON",)),
        ('{"Mood": "Good", "why": {"mood": "bad"}}', ("JSON", "case")),
        ('{"output": [{"mood": "good"}]}', ("JSON", "text around JSON")),
        ('```json\n{"mood": "good"}\n```', ("JSON", "fence")),
        ('Here: {"mood": "good"} Hope it helps!', ("JSON", "text around JSON")),
        ('{"mood": ["good"]}', ("JSON",)),
        ("{'mood': 'good'}", ("broken JSON",)),
        ('{"mood": "good",}', ("broken JSON",)),
        ('{"mood": "good', ("broken JSON",)),
        ("mood: good", ("field mark",)),
        ("**Mood:** good", ("field mark",)),
        ("**mood**: good", ("field mark",)),
        ("**Mood: good**", ("field mark", "bold")),
        ("- mood: good", ("field mark",)),
        ("1. Mood: good", ("field mark",)),
        ("## Mood\n\ngood", ("field mark",)),
        ("The final mood: good", ("field mark",)),
        ("<mood>good</mood>", ("field mark",)),
        ("[[ ## mood ## ]]\ngood\n\n[[ ## completed ## ]]", ("field mark", "stray mark")),
        ("good[[ ## completed ## ]]", ("stray mark",)),
        ("Well, it begins dull.\nmood: good", ("field mark", "text before")),
        ("mood: good\nMood: good.", ("field mark", "repeated")),
        ("review: so bad\nmood: good", ("field mark",)),
        ("good\n\nreview: A bore.\nmood: bad", ("next row",)),
        ("good<|im_end|>", ("end mark",)),
        ("good</s></s>", ("end mark",)),
        ("<think>bad?</think>\ngood", ("thinking",)),
        ("So the answer is good.", ("sentence",)),
        ("The mood is **good**", ("sentence", "bold")),
        ("goo", ("beginning",)),
        ("I would call it good", ("mention",)),
        ("good (a bad review would say so)", ("explanation",)),
        ("Good, because nothing is bad", ("explanation", "case")),
        ("good. It is not bad at all.", ("explanation",)),
    ],
)
def test_a_label_is_read_and_its_repairs_are_named(text: str, repairs: tuple[str, ...]) -> None:
    assert read(text, MOOD) == ("good", repairs)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty: the reply says nothing"),
        (" \n", "empty: the reply says nothing"),
        ("[[ ## completed ## ]]", "no label: "),
        ("review: a good film", "empty: the reply repeats the row"),
        ("good or bad", "two labels: it names 'good' and 'bad'"),
        ("good\nbad", "two labels: "),
        ("good; bad", "two labels: "),
        ("mood: good\nmood: bad", "two answers: 'good' and 'bad' for 'mood'"),
        ('{"mood": "good"} {"mood": "bad"}', "two answers: "),
        ('{"mood": "good", "mood": "bad"}', "two answers: "),
        ('{"good": 0.9, "bad": 0.1}', "two labels: "),
        ("The mood is good.\nSo the answer is bad.", "two answers: "),
        ("not good", "negated label: it names 'good'"),
        ("It isn't very good", "negated label: "),
        ("fine", "no label: it names none"),
        ("go", "no label: "),
        ("<think>good", "unfinished thinking: "),
        ('{"mood": null}', "empty: the outputs are null"),
        ('{"mood": {"good": 1}}', "type: "),
        ("goodness", "no label: "),
    ],
)
def test_nothing_is_guessed(text: str, reason: str) -> None:
    """Broken by taking the first label, or the last."""
    reading = read_answer(text, MOOD)
    assert (reading.outputs, reading.repairs) == (None, ())
    assert reading.reason.startswith(reason)


def test_labels_within_labels_are_told_apart() -> None:
    """Broken by looking for labels in any order."""
    signature = Signature.parse("text -> label: entailment | not_entailment | card | card_arrival")
    for text, label in (
        ("I think not entailment", "not_entailment"),
        ("It is entailment", "entailment"),
        ("my Card Arrival", "card_arrival"),
        ("about a card", "card"),
    ):
        assert read(text, signature) == (label, ("mention",))
    assert read_answer("card or card arrival", signature).outputs is None


def test_labels_that_differ_by_signs_or_case_are_told_apart() -> None:
    signature = Signature.parse('text -> label: c | "C++" | "c++" | x')
    assert read("c++", signature) == ("c++", ())
    assert read("C", signature) == ("c", ("case",))
    assert read_answer("c++!", signature).reason.startswith("two labels: it fits 'c' and 'C++'")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("(B)", "(B)"),
        ("B", "(B)"),
        ("b)", "(B)"),
        ("B: it says so", "(B)"),
        ("Option (B) is right", "(B)"),
        ("A dog, so (B)", "(B)"),
        ("A dog is what I see", None),
        ("(A) and (B)", None),
        ("D", None),
    ],
)
def test_a_letter_in_a_sentence_is_no_option(text: str, label: str | None) -> None:
    """Broken by reading the article as option A."""
    outputs = read_answer(text, OPTIONS).outputs
    assert (outputs["answer"] if outputs else None) == label


@pytest.mark.parametrize(
    ("text", "number", "repairs"),
    [
        ("18", 18, ()),
        ("-5", -5, ()),
        ("−5", -5, ()),
        ("0", 0, ()),
        ("18.00", 18, ("decimals",)),
        ("$18", 18, ("unit",)),
        ("-$1,234.00", -1234, ("unit", "thousands", "decimals")),
        ("1,234,567 eggs", 1_234_567, ("unit", "thousands")),
        ("A total of 18.", 18, ("unit",)),
        ("18 eggs, so 18.0", 18, ("unit", "decimals")),
        ("9 * 2 = $18", 18, ("equation", "unit")),
        ("18 (that is 9 * 2)", 18, ("explanation",)),
        ("18 because of 9 and 2", 18, ("explanation",)),
        ("\\boxed{18}", 18, ("sentence",)),
        ("9 * 2\n#### 18", 18, ("sentence",)),
        ("9 and 2.\nAnswer: 18", 18, ("field mark", "text before")),
        ('{"answer": "18"}', 18, ("JSON",)),
        ('{"answer": 18.0}', 18, ("JSON", "type", "decimals")),
        ("999999999999999999", 999_999_999_999_999_999, ()),
    ],
)
def test_a_number_is_read(text: str, number: int, repairs: tuple[str, ...]) -> None:
    assert read(text, WHOLE) == (number, repairs)
    assert read(text, NUMBER)[0] == float(number)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("18 or 19", "two numbers: it says '18, 19'"),
        ("18\n19", "two numbers: "),
        ("3,5", "two numbers: "),
        ("3-4", "two numbers: "),
        ("5/6", "two numbers: "),
        ("10.11.2024", "no number: "),
        ("1,2345", "two numbers: "),
        ("many", "no number: "),
        ("v2", "no number: "),
        ("18.5", "no whole number"),
        ("1e18", "no whole number"),
        ("9" * 30, "no whole number"),
        ("1e999999999", "no number: "),
        ('{"answer": [1, 2]}', "type: "),
        ('{"answer": true}', "no number: "),
    ],
)
def test_an_unclear_number_is_missing(text: str, reason: str) -> None:
    """A date, a fraction or a decimal comma is no number that could be told for sure."""
    reading = read_answer(text, WHOLE)
    assert reading.outputs is None
    assert reading.reason.startswith(reason)


@pytest.mark.parametrize(
    "text", ["yes", "Yes.", "true", "1", "Y", "Yes, it is true", '{"answer": true}']
)
def test_a_truth_is_read(text: str) -> None:
    assert read(text, TRUTH)[0] is True


@pytest.mark.parametrize("text", ["no", "False", "0", "No, it does", '{"answer": false}'])
def test_a_falsehood_is_read(text: str) -> None:
    assert read(text, TRUTH)[0] is False


def test_yes_and_no_is_missing() -> None:
    assert read_answer("yes and no", TRUTH).reason.startswith("two labels: ")


@pytest.mark.parametrize(
    ("text", "answer", "repairs"),
    [
        ("Paris", "Paris", ()),
        ("Paris[[ ## completed ## ]]", "Paris", ("stray mark",)),
        ("**Paris**", "Paris", ("bold",)),
        ('"Paris"', "Paris", ("quotes",)),
        ('He said "no" to "it"', 'He said "no" to "it"', ()),
        ("The answer is Paris.", "Paris", ("sentence",)),
        ("Paris.\nIt is so.", "Paris.\nIt is so.", ()),
        ("__init__", "__init__", ()),
        ("*one* and *two*", "*one* and *two*", ()),
        ("2 < 3 </s> 4", "2 < 3 </s> 4", ()),
        ('{"a": 1}', '{"a": 1}', ()),
        ('{"answer": 5}', "5", ("JSON", "type")),
        ('{"answer": "a\nb"}', "a\nb", ("JSON",)),
        ("answer: one\n\ntwo", "one\n\ntwo", ("field mark",)),
    ],
)
def test_a_text_stays_as_it_is(text: str, answer: str, repairs: tuple[str, ...]) -> None:
    assert read(text, TEXT) == (answer, repairs)


def test_a_sentence_about_an_answer_is_the_text_of_another_output() -> None:
    """Broken by cutting a translation of 'The answer is 42.' to '42'."""
    signature = Signature.parse("text -> translation")
    assert read("The answer is 42.", signature) == ("The answer is 42.", ())


@pytest.mark.parametrize(
    "text", ['["a", "b"]', "a, b", "a\nb", "- a\n- b", "1. a\n2. b", "* a\n* b"]
)
def test_a_list_is_read(text: str) -> None:
    value, repairs = read(text, LIST)
    assert value == ["a", "b"]
    assert repairs == (() if text.startswith("[") else ("list",))


@pytest.mark.parametrize(
    ("text", "answer", "repairs"),
    [
        ("Ada Lovelace", ["Ada Lovelace"], ()),
        ("ada lovelace.", ["Ada Lovelace"], ("punctuation", "case")),
        ('["Ada Lovelace"]', ["Ada Lovelace"], ()),
        ('{"answer": ["London"]}', ["London"], ("JSON",)),
        ('{"answer": []}', [], ("JSON",)),
        ("[]", [], ()),
        ("Unanswerable.", [], ()),
        ("Ada Byron", ["Ada Byron"], ("not in the inputs",)),
    ],
)
def test_an_extract_stands_as_in_its_input(
    text: str, answer: list[str], repairs: tuple[str, ...]
) -> None:
    inputs = {"context": "Ada Lovelace was born in London.", "question": "Who?"}
    assert read_answer(text, EXTRACT, inputs) == Reading({"answer": answer}, repairs)


def test_spans_are_read_from_json() -> None:
    signature = Signature.parse("words: list[str] -> tags: spans[PER | LOC]")
    assert read('[[0, 2, "PER"]]', signature)[0] == [Span(0, 2, "PER")]
    assert read('{"tags": ["B-PER", "I-PER", "O"]}', signature)[0] == [Span(0, 2, "PER")]
    assert read_answer('[[0, 2, "ORG"]]', signature).reason.startswith("type: expected 'PER'")


@pytest.mark.parametrize(
    ("text", "reasoning", "repairs"),
    [
        ("reasoning: It is.\nanswer: yes", "It is.", ()),
        ("**Reasoning:** It is.\n\n**Answer:** Yes", "It is.", ("field mark", "case")),
        ('{"reasoning": "It is.", "answer": "yes"}', "It is.", ("JSON",)),
        (" It is.\nanswer: yes", "It is.", ("first field without its name",)),
        ("It is. So the answer is yes.", "It is.", ("sentence",)),
        ("yes", "", ("left out",)),
        (
            "It is.\nanswer: yes\n\nquestion: Other?\nanswer: no",
            "It is.",
            ("next row", "first field without its name"),
        ),
        (
            "[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]",
            "It is.",
            ("field mark", "stray mark"),
        ),
    ],
)
def test_several_outputs_are_read(text: str, reasoning: str, repairs: tuple[str, ...]) -> None:
    reading = read_answer(text, STEPS)
    assert reading.outputs == {"reasoning": reasoning, "answer": "yes"}
    assert reading.repairs == repairs


@pytest.mark.parametrize("text", ["It may well be, yes, but", "It is.\nanswer:", "reasoning: yes"])
def test_reasoning_that_was_cut_off_is_no_answer(text: str) -> None:
    """Broken by reading the answer out of the reasoning."""
    assert read_answer(text, STEPS).outputs is None


def test_a_field_s_name_may_be_written_with_spaces() -> None:
    signature = Signature.parse("text -> first_name, last_name")
    found = read_answer("First Name: Ada\nlast-name: Lovelace", signature)
    assert found.outputs == {"first_name": "Ada", "last_name": "Lovelace"}
    found = read_answer('{"First Name": "Ada", "last-name": "Lovelace"}', signature)
    assert found.outputs == {"first_name": "Ada", "last_name": "Lovelace"}


SIGNATURES = [MOOD, WHOLE, NUMBER, TRUTH, TEXT, LIST, EXTRACT, STEPS, OPTIONS]


@given(st.text(alphabet="{}[]\"':#*`_<>/\\ \ngodba1.,=$(\x00\ud800", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_missing_with_a_reason(text: str) -> None:
    for signature in SIGNATURES:
        reading = read_answer(text, signature, {"context": text, "question": "", "review": ""})
        assert (reading.outputs is None) == bool(reading.reason)
        kind, colon, _ = reading.reason.partition(": ")
        assert reading.outputs is not None or (colon and len(kind) < 50)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 50_000,
        '{"a":' * 10_000,
        '{"answer": "' + "\\" * 50_000,
        "[" * 50_000,
        "a" + " " * 50_000 + "b",
        "1." * 25_000,
        "*" * 50_000,
        "[[ ## " * 8_000,
        "\n" * 50_000 + "x",
        "the final " * 5_000,
        "answer is " * 5_000,
        "not good " * 5_000,
    ],
)
def test_a_hostile_reply_takes_no_longer_than_its_length(text: str) -> None:
    """Broken by a pattern that tries all ways to cut a run of spaces."""
    for signature in (MOOD, NUMBER, TEXT, STEPS, EXTRACT):
        clock = time.perf_counter()
        read_answer(text, signature, {"context": "c", "question": "q"})
        assert time.perf_counter() - clock < 5


@pytest.mark.skipif(not RECORDED.is_dir(), reason="needs the recorded replies in /work/shared")
def test_recorded_solutions_are_judged_as_their_authors_judged_them() -> None:
    """GSM8K's own verdict on 4,272 replies. Broken by thousands read as two numbers."""
    signature = Signature.parse("question -> A: float")
    lines = (RECORDED / "gsm8k" / "example_model_solutions.jsonl").read_text().splitlines()
    same = replies = 0
    for row in map(json.loads, lines):
        gold = read_answer(row["ground_truth"], signature).outputs
        for solution in (each for each in row.values() if isinstance(each, dict)):
            replies += 1
            outputs = read_answer(solution["solution"], signature).outputs
            same += (outputs == gold) == solution["is_correct"]
    assert (same, replies) == (4272, 4272)
