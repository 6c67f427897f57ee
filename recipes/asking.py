"""Questions with free answers: editing texts, arithmetic, looking up, relations of words."""

from collections.abc import Callable, Sequence
from random import Random

from recipes import held_out
from recipes.episode import Episode, Row
from recipes.words import NAMES, PLACES, PLAIN, RELATIONS, SYLLABLES

Edit = Callable[[list[str]], str]

EDITS: dict[str, Edit] = {
    "the same": " ".join,
    "backwards": lambda words: " ".join(reversed(words)),
    "first word": lambda words: words[0],
    "last word": lambda words: words[-1],
    "second word": lambda words: words[1],
    "third word": lambda words: words[2],
    "second to last word": lambda words: words[-2],
    "without the first word": lambda words: " ".join(words[1:]),
    "without the last word": lambda words: " ".join(words[:-1]),
    "without the second word": lambda words: " ".join([words[0], *words[2:]]),
    "without the third word": lambda words: " ".join([*words[:2], *words[3:]]),
    "without the last two words": lambda words: " ".join(words[:-2]),
    "third to last word": lambda words: words[-3],
    "first and last word": lambda words: f"{words[0]} {words[-1]}",
    "second and last word": lambda words: f"{words[1]} {words[-1]}",
    "first two words": lambda words: " ".join(words[:2]),
    "last two words": lambda words: " ".join(words[-2:]),
    "first three words": lambda words: " ".join(words[:3]),
    "last word, then the others": lambda words: " ".join([words[-1], *words[:-1]]),
    "first word twice": lambda words: f"{words[0]} {words[0]}",
    "last word twice": lambda words: f"{words[-1]} {words[-1]}",
    "first word in capitals": lambda words: words[0].upper(),
    "last word in capitals": lambda words: words[-1].upper(),
    "in alphabetical order": lambda words: " ".join(sorted(words)),
    "first in the alphabet": min,
    "longest word": lambda words: max(words, key=len),
    "number of words": lambda words: str(len(words)),
    "first letter": lambda words: words[0][0],
    "first letters": lambda words: " ".join(word[0] for word in words),
    "last letter": lambda words: words[-1][-1],
    "first letter of the last word": lambda words: words[-1][0],
    "last letter of the first word": lambda words: words[0][-1],
    "spelt": lambda words: " ".join(words[0]),
    "each word twice": lambda words: " ".join(f"{word} {word}" for word in words),
    "in capitals": lambda words: " ".join(words).upper(),
    "joined by commas": ", ".join,
}
EDIT_ASKS = (
    "Write the {input}: {edit}.",
    "Give the {edit} of the {input}.",
    "What is this: {edit}?",
    "Change the {input} so: {edit}.",
    "{edit}",
    "I want of the {input}: {edit}",
    "Read the {input} and write: {edit}.",
)
TRAINED_EDITS = tuple(name for name in EDITS if name not in held_out.EDITS)
TRAINED_RELATIONS = tuple(name for name in RELATIONS if name not in held_out.RELATIONS)


def edits(draw: Random, count: int, known: Sequence[str] = TRAINED_EDITS) -> Episode:
    """Words written in another way, told by the instruction or by rows."""
    edit, given = draw.choice(list(known)), draw.choice(["text", "words", "input", "list", "line"])
    rows: list[Row] = []
    for _ in range(count):
        words = draw.sample(PLAIN + NAMES, draw.randint(3, 6))
        if edit == "longest word" and len({len(word) for word in words}) < len(words):
            words = [*{len(word): word for word in words}.values(), "it"]
        rows.append((" ".join(words), EDITS[edit](words)))
    taught = count < 4 or draw.random() < 0.75
    asks = draw.choice(EDIT_ASKS).format(input=given, edit=edit) if taught else ""
    return Episode.of([given], draw.choice(["output", "answer", "result"]), rows,
                      instruction=asks, taught=taught)  # fmt: skip


def relations(draw: Random, count: int, known: Sequence[str] = TRAINED_RELATIONS) -> Episode:
    """A word for a word: its opposite, its past form, and such."""
    relation = draw.choice(list(known))
    pairs = [tuple(both.split()) for both in RELATIONS[relation].split("|")]
    given, output = draw.choice(
        [("word", relation.split()[0]), ("word", "answer"), ("input", "output")]
    )
    taught = count < 4 or draw.random() < 0.7
    ask = draw.choice(["Give the {r}.", "Write the {r} of the word.", "What is the {r}?", "{r}"])
    rows = draw.sample(pairs, min(count, len(pairs)))
    return Episode.of(
        [given], output, rows, instruction=ask.format(r=relation) if taught else "", taught=taught
    )


def mappings(draw: Random, count: int) -> Episode:
    """Made-up pairs of words; each row but the first of a kind can be read off those before."""
    keys = draw.sample(PLAIN + NAMES, draw.randint(2, 4))
    values = [draw.choice(PLAIN) if draw.random() < 0.5 else nonsense(draw) for _ in keys]
    rows = [draw.choice(list(zip(keys, values, strict=True))) for _ in range(max(count, 4))]
    given, output = draw.choice(
        [("word", "code"), ("input", "output"), ("x", "y"), ("key", "value")]
    )
    told = draw.random() < 0.5
    table = ", ".join(f"{key} is {value}" for key, value in zip(keys, values, strict=True))
    return Episode.of([given], output, rows, instruction=f"{table}." if told else "", taught=told)


def nonsense(draw: Random) -> str:
    """A word that means nothing."""
    return "".join(draw.sample(SYLLABLES, draw.choice([2, 3])))


def lookups(draw: Random, count: int) -> Episode:
    """A list of pairs and one of its keys; the answer stands in the list."""
    sign = draw.choice([":", " is", " =", " has"])
    rows: list[Row] = []
    for _ in range(count):
        keys = draw.sample(NAMES if draw.random() < 0.5 else PLAIN, draw.randint(2, 5))
        values = [draw.choice([str(draw.randint(1, 99)), draw.choice(PLAIN)]) for _ in keys]
        both = list(zip(keys, values, strict=True))
        key, value = draw.choice(both)
        rows.append((", ".join(f"{each}{sign} {what}" for each, what in both), key, value))
    ask = draw.choice(
        ["Look it up in the list.", "What stands beside the name?", "Find the value.", ""]
    )
    names = draw.choice([["list", "name"], ["context", "question"], ["table", "key"]])
    return Episode.of(
        names, draw.choice(["value", "answer"]), rows, instruction=ask, taught=bool(ask)
    )


FACTS = (
    ("{name} lives in {place}", "Where does {name} live?", "place"),
    ("{name} was born in {place}", "Where was {name} born?", "place"),
    ("{name} has a {thing}", "What does {name} have?", "thing"),
    ("{name} lost the {thing}", "What did {name} lose?", "thing"),
    ("{name} is {number} years old", "How old is {name}?", "number"),
    ("{name} saw {friend}", "Whom did {name} see?", "friend"),
    ("the {thing} is in {place}", "Where is the {thing}?", "place"),
    ("the {thing} belongs to {name}", "To whom does the {thing} belong?", "name"),
    ("{name} lives in {place}", "Who lives in {place}?", "name"),
    ("{name} bought the {thing} from {friend}", "Who sold the {thing}?", "friend"),
)


def facts(draw: Random, count: int) -> Episode:
    """Short texts of made-up facts with a question; the answer is a word of the text."""
    rows: list[Row] = []
    for _ in range(count):
        said, asked = [], []
        names, places = draw.sample(NAMES, 4), draw.sample(PLACES, 4)
        things, friends = draw.sample(PLAIN, 4), draw.sample(NAMES, 4)
        for place in range(draw.randint(1, 4)):
            values = {
                "name": names[place],
                "place": places[place],
                "thing": things[place],
                "friend": friends[place],
                "number": str(draw.randint(5, 90)),
            }
            fact, question, answer = draw.choice(FACTS)
            text = fact.format(**values)
            said.append(text[0].upper() + text[1:] + ".")
            asked.append((question.format(**values), values[answer]))
        rows.append((" ".join(said), *draw.choice(asked)))
    ask = draw.choice(
        ["Answer the question from the text.", "Read and answer.", "Give a short answer.", ""]
    )
    names = draw.choice([["context", "question"], ["text", "question"], ["passage", "question"]])
    return Episode.of(names, "answer", rows, instruction=ask)


SUMS: dict[str, Callable[[int, int], int]] = {
    "sum": lambda one, two: one + two,
    "difference": lambda one, two: max(one, two) - min(one, two),
    "larger number": max,
    "smaller number": min,
    "product": lambda one, two: one * two,
}


def sums(draw: Random, count: int) -> Episode:
    """Two numbers and what is made of them."""
    name = draw.choice(list(SUMS))
    most = 9 if name == "product" else draw.choice([9, 9, 20, 50])
    rows: list[Row] = []
    for _ in range(count):
        one, two = draw.randint(0, most), draw.randint(0, most)
        rows.append((f"{one} {two}", str(SUMS[name](one, two))))
    taught = count < 4 or draw.random() < 0.8
    ask = draw.choice(["Give the {n}.", "What is the {n} of the two?", "Write the {n}.", "{n}"])
    instruction = ask.format(n=name) if taught else ""
    return Episode.of(["numbers"], draw.choice(["answer", "result"]), rows,
                      instruction=instruction, number=True, taught=taught)  # fmt: skip


def counting(draw: Random, count: int) -> Episode:
    """How often a word stands in a list."""
    word = draw.choice(PLAIN)
    rows: list[Row] = []
    for _ in range(count):
        words = draw.choices([word, draw.choice(PLAIN), draw.choice(PLAIN)], k=draw.randint(1, 6))
        rows.append((" ".join(words), str(words.count(word))))
    ask = draw.choice(["Count the word {w}.", "How often does {w} stand in the text?"])
    return Episode.of(["text"], "count", rows, instruction=ask.format(w=word), number=True)
