"""Episodes: answers follow from what is said, layouts are those that are sent, and what is held
out never appears."""

import re
from collections.abc import Callable
from random import Random

import pytest

from afina.hard.prompt import Prompt
from afina.lm.request import Message
from afina.task.signature import Choice
from recipes import asking, generated, held_out
from recipes.episode import Episode, conversation
from recipes.sets import BEFORE, Sets, labels_of
from recipes.sorting import Sorting, sort_out
from recipes.words import CATEGORIES, RELATIONS

SORTINGS = [
    generated.kinds,
    generated.moods,
    generated.holding,
    generated.containing,
    generated.beginning,
    generated.comparing,
]
QUESTIONS = [
    asking.edits,
    asking.relations,
    asking.mappings,
    asking.lookups,
    asking.facts,
    asking.sums,
    asking.counting,
]


def many(make: Callable[[Random], Sorting] | None = None, count: int = 200) -> list[Episode]:
    """Episodes of one sorting, or of all kinds."""
    draw = Random(0)
    found = []
    for number in range(count):
        rows = draw.choice([1, 3, 6])
        if make is not None:
            found.append(sort_out(make(draw), draw, rows))
        elif number % 2:
            found.append(sort_out(draw.choice(SORTINGS)(draw), draw, rows))
        else:
            found.append(draw.choice(QUESTIONS)(draw, rows))
    return found


@pytest.mark.parametrize("make", SORTINGS)
def test_every_answer_is_one_of_the_labels(make: Callable[[Random], Sorting]) -> None:
    for episode in many(make):
        kind = episode.signature.target.type
        assert isinstance(kind, Choice)
        assert {row[-1] for row in episode.rows} <= set(kind.labels)


def test_a_rule_holds_whatever_the_labels_are() -> None:
    for episode in many(generated.kinds, 600):
        for label, name in re.findall(
            r"(?:Say|say) (\w+) for (\w+)", episode.signature.instruction
        ):
            for text, answer in episode.rows:
                of_kind = bool(set(text.split()) & set(CATEGORIES.get(name, ())))
                assert not of_kind or answer == label, episode


def test_one_row_alone_is_never_left_to_guess_what_is_meant() -> None:
    for episode in many(generated.kinds, 400) + many(generated.containing, 400):
        if len(episode.rows) == 1:
            assert episode.taught
            assert episode.signature.instruction


def test_nothing_held_out_is_asked_for() -> None:
    hidden = {*held_out.CATEGORIES, *held_out.EDITS, *held_out.RELATIONS}
    words = {word for name in held_out.CATEGORIES for word in CATEGORIES[name]}
    pairs = {pair for name in held_out.RELATIONS for pair in RELATIONS[name].split("|")}
    for episode in many(count=3000):
        instruction = episode.signature.instruction
        assert not [name for name in hidden if re.search(rf"\b{name}\b", instruction)], instruction
    for episode in many(generated.kinds, 500):
        assert not [row for row in episode.rows if words & set(row[0].split())]
    assert not pairs & {pair for name in asking.TRAINED_RELATIONS for pair in RELATIONS[name]}


def test_most_conversations_are_what_a_prompt_sends() -> None:
    same = 0
    for number, episode in enumerate(many(count=300)):
        *shown, last = episode.examples()
        sent = Prompt.of(episode.signature, tuple(shown)).messages(last.inputs)
        answer = Message("assistant", episode.rows[-1][-1])
        same += conversation(episode, Random(number)) == [*sent, answer]
    assert 180 < same < 270


def test_every_conversation_ends_with_its_last_answer() -> None:
    for number, episode in enumerate(many(count=200)):
        said = conversation(episode, Random(number))
        answers = [each.content for each in said if each.role == "assistant"]
        assert answers == [row[-1] for row in episode.rows]
        assert all(row[0].split("\n")[0] in "".join(map(str, said)) for row in episode.rows)


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        ("backwards", "d bb ccc"),
        ("second to last word", "bb"),
        ("without the first word", "bb d"),
        ("longest word", "ccc"),
        ("in alphabetical order", "bb ccc d"),
        ("number of words", "3"),
        ("spelt", "c c c"),
        ("each word twice", "ccc ccc bb bb d d"),
        ("without the second word", "ccc d"),
        ("without the third word", "ccc bb"),
        ("without the last two words", "ccc"),
        ("third to last word", "ccc"),
        ("second and last word", "bb d"),
        ("last two words", "bb d"),
        ("last word, then the others", "d ccc bb"),
        ("last word in capitals", "D"),
        ("first letter of the last word", "d"),
        ("last letter of the first word", "c"),
    ],
)
def test_an_edit_does_what_it_says(edit: str, wanted: str) -> None:
    assert asking.EDITS[edit](["ccc", "bb", "d"]) == wanted


def test_an_answer_to_facts_stands_in_its_text_and_no_other_would_do() -> None:
    draw = Random(1)
    for _ in range(300):
        for text, question, answer in asking.facts(draw, 2).rows:
            assert answer in text
            asked = [name for name in re.findall(r"[A-Z]\w+", question)[1:] if name in text]
            said = [each for each in text.split(". ") if all(name in each for name in asked)]
            assert any(answer in each for each in said), (text, question, answer)


def test_an_intents_label_is_made_of_its_words_and_labels_differ() -> None:
    names, seen = ["pay_bill", "bill_due", "what_is_your_name"], set()
    for seed in range(300):
        labels = labels_of(names, Random(seed))
        assert len(set(labels)) == len(names)
        seen.update(labels)
        for name, label in zip(names, labels, strict=True):
            words = {*name.split("_"), *BEFORE}
            assert set(re.split(" |_|(?<=[a-z])(?=[A-Z])", label)) <= words | {
                word.capitalize() for word in words
            }
    assert {"pay bill", "PayBill", "bill_pay", "bill", "Due", "get name"} <= seen


def test_a_request_stands_for_those_that_want_the_same() -> None:
    intents = {
        name: [f"{name} {row}" for row in range(40)] for name in ("pay", "call", "sing", "rest")
    }
    sets, draw = Sets({}, intents, {}), Random(0)
    for _ in range(30):
        sorting = sets.by_example(draw)
        for label, drawn in sorting.classes.items():
            assert drawn(draw).split()[0] == label.split()[0]
