"""A written prompt's text stands as given, and its examples are balanced over the labels."""

import random
from collections import Counter

from afina.hard.prompt import Prompt, choose_demonstrations
from afina.task.example import Example
from afina.task.signature import Signature
from tests.training.tiny_task import review_task

SIGNATURE = Signature.parse("context, question -> answer", "Answer the question.")
SHOWN = Example.of({"context": "{x} {{7*7}}", "question": "${}"}, {"answer": "{0} % \\n"})


def test_front_and_back_are_the_whole_text() -> None:
    prompt = Prompt(SIGNATURE, (SHOWN,))
    assert prompt.front == (
        "Answer the question.\n\ncontext: {x} {{7*7}}\nquestion: ${}\nanswer: {0} % \\n\n\n"
    )
    assert prompt.back({"question": "why", "context": "c"}) == "context: c\nquestion: why\nanswer:"


def test_without_instruction_and_examples_nothing_stands_in_front() -> None:
    assert Prompt(Signature.parse("review -> mood: a | b")).front == ""


def test_without_examples_the_instruction_stands_alone() -> None:
    assert Prompt(SIGNATURE).front == "Answer the question.\n\n"


def test_values_of_nothing_are_written() -> None:
    """FAULTS 13: broken by ``value or ""``."""
    signature = Signature.parse("a: int, b: float, c: bool, d, e: list[str] -> f: int")
    inputs = {"a": 0, "b": 0.0, "c": False, "d": "", "e": ["x", ""]}
    text = "a: 0\nb: 0.0\nc: False\nd: \ne: x \nf:"
    assert Prompt(signature).back(inputs) == text
    shown = Example.of(inputs, {"f": 0})
    assert Prompt(signature, (shown,)).front == f"{text} 0\n\n"


def test_examples_answer_by_the_words_of_their_labels() -> None:
    """Broken by showing labels where words are asked for: the examples then teach nothing."""
    signature = Signature.parse("review -> mood: good | bad | so so")
    shown = tuple(Example.of({"review": "r"}, {"mood": mood}) for mood in ("bad", "good"))
    prompt = Prompt(signature, shown).in_words({"bad": "awful", "r": "never"})
    assert prompt.front == "review: r\nmood: awful\n\nreview: r\nmood: good\n\n"
    assert Prompt(signature, shown).in_words({}) == Prompt(signature, shown)


def test_examples_take_the_labels_in_turn() -> None:
    """Broken by the first ones in the order, whatever their label."""
    task = review_task(train=20, dev=2)
    order = sorted(range(20), key=lambda place: place % 2)  # all positive ones first
    for count in range(1, 9):
        shown = choose_demonstrations(task.train, task.signature, count=count, order=order)
        assert len(shown) == count
        labels = Counter(example.outputs["sentiment"] for example in shown)
        assert labels["positive"] - labels["negative"] == count % 2


def test_examples_follow_the_order() -> None:
    task = review_task(train=12, dev=2)
    order = random.Random(3).sample(range(12), 12)
    shown = choose_demonstrations(task.train, task.signature, count=2, order=order)
    assert shown[0] == task.train[order[0]]
    assert all(example in task.train for example in shown)


def test_more_examples_than_there_are_are_all_of_them() -> None:
    task = review_task(train=7, dev=2)
    shown = choose_demonstrations(task.train, task.signature, count=99, order=range(7))
    assert sorted(example.id for example in shown) == sorted(example.id for example in task.train)


def test_no_examples_are_none() -> None:
    task = review_task(train=4, dev=2)
    assert choose_demonstrations(task.train, task.signature, count=0, order=range(4)) == ()
    assert choose_demonstrations([], task.signature, count=3, order=[]) == ()
