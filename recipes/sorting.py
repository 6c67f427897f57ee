"""Sorting: texts fall into classes; which word stands for a class may be anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from recipes.episode import Episode
from recipes.words import PLAIN, SYLLABLES

Draw = Callable[[Random], str]


@dataclass(frozen=True)
class Sorting:
    """Classes by their names, each with a function that draws a text of it."""

    classes: Mapping[str, Draw]
    inputs: Sequence[str]  # names that the text may have
    outputs: Sequence[str]  # names that the answer may have
    asks: Sequence[str] = ()  # of its own; {input}, {output} and {classes} are filled in
    common: bool = True  # whether the instructions that suit most sortings suit this one


ASKS = (
    "Say which {output} the {input} has: {classes}.",
    "Classify the {input} by its {output}.",
    "Tell whether the {input} is {classes}.",
    "Sort each {input} by {output}: {classes}.",
    "What is the {output} of the {input}?",
    "Name the {output} of the {input}.",
    "Read the {input} and give its {output}.",
    "Choose the {output} that fits the {input}.",
    "Decide on the {output}: {classes}.",
    "Which of {classes} is it?",
    "Is the {input} {classes}?",
    "Give the right {output} for this {input}.",
)
RULES = (
    "Answer {label} if the {input} is {name}",
    "Say {label} for {name}",
    "{label} means {name}",
    "For {name} write {label}",
    "{name} is called {label} here",
)
FLAT = ("input", "text", "sentence", "words", "item", "query", "x")
ANSWERS = ("label", "answer", "output", "class", "type", "result", "y")


def sort_out(sorting: Sorting, draw: Random, count: int) -> Episode:
    """An episode of so many rows, the classes named, renamed or told by rows alone."""
    names = draw.sample(list(sorting.classes), len(sorting.classes))
    given = draw.choice(sorting.inputs if draw.random() < 0.7 else FLAT)
    answers = sorting.outputs if draw.random() < 0.7 else ANSWERS
    output = draw.choice([name for name in answers if name != given])
    told = (0.75 if sorting.common else 0.55) if count <= 3 else 1
    way = draw.random() * told
    if not sorting.common and 0.55 <= way < 0.75:
        way = 0.0
    if way < 0.55:
        labels, instruction = list(names), asked(sorting, given, output, names, draw)
    else:
        labels = made_up(len(names), names, draw)
        instruction = ruled(given, names, labels, draw) if way < 0.75 else vague(given, draw)
    shares = [1.0] * len(names) if draw.random() < 0.8 else [draw.random() + 0.1 for _ in names]
    rows = []
    for _ in range(count):
        (place,) = draw.choices(range(len(names)), shares)
        rows.append((sorting.classes[names[place]](draw), labels[place]))
    order = sorted(labels) if draw.random() < 0.5 else labels
    return Episode.of(
        [given], output, rows, instruction=instruction, labels=order, taught=way < 0.75
    )


def asked(sorting: Sorting, given: str, output: str, names: Sequence[str], draw: Random) -> str:
    """An instruction under which the classes' own names are the answers."""
    own = not sorting.common or (bool(sorting.asks) and draw.random() < 0.6)
    return draw.choice(list(sorting.asks) if own else ASKS).format(
        input=given, output=output, classes=" or ".join(names)
    )


def ruled(given: str, names: Sequence[str], labels: Sequence[str], draw: Random) -> str:
    """An instruction that tells which label stands for which class."""
    rule, join = draw.choice(RULES), draw.choice([", ", "; ", " and ", ". ", "\n"])
    both = zip(labels, names, strict=True)
    return join.join(rule.format(label=label, name=name, input=given) for label, name in both) + "."


def vague(given: str, draw: Random) -> str:
    """An instruction that leaves what is meant to the rows, or none."""
    return draw.choice(
        ["", "", f"Label each {given}.", "Follow the examples.", f"Do with the {given} as shown."]
    )


def made_up(count: int, names: Sequence[str], draw: Random) -> list[str]:
    """Labels that mean nothing here: letters, numbers, words, syllables, or the names mixed up."""
    match draw.randrange(6):
        case 0:
            start = draw.choice("ABCKLPXA")
            return [chr(ord(start) + place) for place in range(count)]
        case 1:
            start = draw.randrange(10)
            return [str(start + place) for place in range(count)]
        case 2:
            return draw.sample(PLAIN, count)
        case 3:
            return [f"{each}{draw.choice(SYLLABLES)}" for each in draw.sample(SYLLABLES, count)]
        case 4:
            return draw.sample(draw.choice(PAIRS), 2) if count == 2 else draw.sample(PLAIN, count)
    return [*names[1:], names[0]]


PAIRS = (
    ["yes", "no"],
    ["true", "false"],
    ["good", "bad"],
    ["left", "right"],
    ["hot", "cold"],
    ["on", "off"],
    ["great", "terrible"],
    ["cat", "dog"],
    ["plus", "minus"],
)
