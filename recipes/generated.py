"""Sortings of generated texts: by the kind of thing, the mood, or what stands in the text."""

from collections.abc import Sequence
from random import Random

from recipes import held_out
from recipes.sorting import Draw, Sorting
from recipes.words import (
    BAD,
    BAD_DOINGS,
    CATEGORIES,
    FRAMES,
    GOOD,
    GOOD_DOINGS,
    MOOD_FRAMES,
    NAMES,
    PLAIN,
    THINGS,
)

TRAINED = tuple(name for name in CATEGORIES if name not in held_out.CATEGORIES)


def kinds(draw: Random, known: Sequence[str] = TRAINED) -> Sorting:
    """Words, or sentences about them, by the kind of thing that they name."""
    names = draw.sample(list(known), draw.choice([2, 2, 2, 3, 3, 4]))
    in_frame = draw.random() < 0.5
    inputs = ["sentence", "text"] if in_frame else ["word", "thing", "name"]
    asks = [
        "Say what kind of thing the {input} names: {classes}.",
        "Is it {classes}?",
        "What does the {input} speak of, {classes}?",
    ]
    classes = {name: kind_of_thing(name, in_frame) for name in names}
    return Sorting(classes, inputs, ["kind", "category", "group", "topic"], asks)


def kind_of_thing(name: str, in_frame: bool) -> Draw:
    """A word of a kind, alone or in a sentence."""

    def drawn(draw: Random) -> str:
        word = draw.choice(CATEGORIES[name])
        return draw.choice(FRAMES).format(word=word) if in_frame else word

    return drawn


def moods(draw: Random) -> Sorting:
    """Remarks on things, by whether they praise or blame."""
    good, bad = draw.choice(
        [("positive", "negative")] * 3
        + [("good", "bad"), ("praise", "blame"), ("happy", "unhappy"), ("pleased", "angry")]
    )
    asks = [
        "Tell whether the {input} is {classes}.",
        "Is the writer of the {input} {classes}?",
        "Find out the {output} of the {input}.",
        "Does the {input} praise or blame? Answer {classes}.",
    ]
    inputs = ["review", "remark", "sentence", "comment", "text", "opinion"]
    return Sorting(
        {good: mood(GOOD, BAD, GOOD_DOINGS), bad: mood(BAD, GOOD, BAD_DOINGS)},
        inputs,
        ["sentiment", "mood", "opinion", "tone", "feeling"],
        asks,
    )


def mood(words: Sequence[str], others: Sequence[str], doings: Sequence[str]) -> Draw:
    """A remark of one mood."""

    def drawn(draw: Random) -> str:
        word, second = draw.sample(words, 2)
        thing, other = draw.sample(THINGS, 2)
        text = draw.choice(MOOD_FRAMES).format(
            thing=thing,
            other=other,
            word=word,
            second=second,
            opposite=draw.choice(others),
            doing=draw.choice(doings),
        )
        return finished(text, draw)

    return drawn


def finished(text: str, draw: Random) -> str:
    """A text with or without a capital letter and an end."""
    text = text[0].upper() + text[1:] if draw.random() < 0.5 else text
    return text + draw.choice([" .", ".", "", "!"])


def holding(draw: Random) -> Sorting:
    """Lists of words, by which of two or three words stands in them."""
    marks = draw.sample(PLAIN + NAMES, draw.choice([2, 2, 3]))
    others = [word for word in PLAIN if word not in marks]

    def with_mark(mark: str) -> Draw:
        def drawn(draw: Random) -> str:
            words = draw.sample(others, draw.randint(1, 5))
            words.insert(draw.randint(0, len(words)), mark)
            return " ".join(words)

        return drawn

    asks = ["Say which of these words stands in the {input}: {classes}.", "Find {classes}."]
    classes = {mark: with_mark(mark) for mark in marks}
    return Sorting(classes, ["text", "list", "line"], ["word", "mark", "sign"], asks)


def containing(draw: Random) -> Sorting:
    """Lists of words, by whether a word stands in them."""
    mark = draw.choice(PLAIN + NAMES)
    others = [word for word in PLAIN if word != mark]

    def with_it(there: bool) -> Draw:
        def drawn(draw: Random) -> str:
            words = draw.sample(others, draw.randint(2, 6))
            if there:
                words[draw.randrange(len(words))] = mark
            return " ".join(words)

        return drawn

    asks = [
        f"Does the word {mark} stand in the {{input}}? Answer {{classes}}.",
        f"Say yes if the {{input}} holds {mark}, no otherwise.",
        f'Is "{mark}" in the {{input}}?',
    ]
    classes = {"yes": with_it(True), "no": with_it(False)}
    return Sorting(classes, ["text", "line"], ["answer"], asks, common=False)


def beginning(draw: Random) -> Sorting:
    """Words by their first letters."""
    letters = draw.sample("abcdefghlmprstw", 2)
    words = [word for word in PLAIN if word[0] in letters]
    while len({word[0] for word in words}) < 2:
        letters = draw.sample("abcdefghlmprstw", 2)
        words = [word for word in PLAIN if word[0] in letters]

    def starting(letter: str) -> Draw:
        return lambda draw: draw.choice([word for word in words if word[0] == letter])

    asks = ["With which letter does the {input} begin?", "Give the first letter: {classes}."]
    classes = {letter: starting(letter) for letter in letters}
    return Sorting(classes, ["word", "name"], ["letter", "beginning"], asks)


def comparing(draw: Random) -> Sorting:
    """Two numbers, by which one is larger; or one number, by whether it is even or large."""
    most = draw.choice([9, 20, 99])
    match draw.randrange(3):
        case 0:
            asks = ["Is the number even or odd?", "Tell whether the {input} is {classes}."]
            classes: dict[str, Draw] = {
                "even": lambda draw: str(2 * draw.randint(0, most)),
                "odd": lambda draw: str(2 * draw.randint(0, most) + 1),
            }
            return Sorting(classes, ["number"], ["kind"], asks, common=False)
        case 1:
            middle = draw.randint(most // 4 + 1, most)
            asks = [
                f"Is the number under or over {middle}?",
                f"Compare with {middle}: {{classes}}.",
            ]
            classes = {
                "under": lambda draw: str(draw.randint(0, middle - 1)),
                "over": lambda draw: str(draw.randint(middle + 1, 2 * middle + 2)),
            }
            return Sorting(classes, ["number"], ["answer"], asks, common=False)
    asks = ["Which number is larger, the first or the second?", "Larger: {classes}?"]
    classes = {"first": pair(most, first=True), "second": pair(most, first=False)}
    return Sorting(classes, ["numbers"], ["larger"], asks, common=False)


def pair(most: int, *, first: bool) -> Draw:
    """Two numbers of which the first, or the second, is larger."""

    def drawn(draw: Random) -> str:
        low, high = sorted(draw.sample(range(most + 1), 2))
        return f"{high} and {low}" if first else f"{low} and {high}"

    return drawn
