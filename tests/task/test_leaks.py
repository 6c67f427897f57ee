"""Leaks: planted ones are found, false ones are not, in time and memory."""

import random
import time
import tracemalloc

import pytest

from afina.task.example import Example
from afina.task.leaks import Leak, find_leaks

SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu".split()


def vocabulary(size: int, generator: random.Random) -> list[str]:
    words = {"".join(generator.choices(SYLLABLES, k=generator.randint(1, 4))) for _ in range(size)}
    return generator.sample(sorted(words), len(words))


def sentences(count: int, generator: random.Random, shortest: int = 8) -> list[str]:
    """Sentences of words with the frequencies of a language (Zipf)."""
    words = vocabulary(4000, generator)
    weights = [1 / (rank + 2) for rank in range(len(words))]
    lengths = [generator.randint(shortest, 24) for _ in range(count)]
    return [" ".join(generator.choices(words, weights, k=length)) + "." for length in lengths]


def changed(text: str, n: int, generator: random.Random) -> str:
    """A small edit, of seven kinds in turn."""
    words = text.rstrip(".").split()
    place = generator.randrange(len(words) - 1)
    match n % 7:
        case 0:
            words[place] = "garden"
        case 1:
            del words[place]
        case 2:
            words[place : place + 2] = [words[place + 1], words[place]]
        case 3:
            words.insert(place, "really")
        case 4:
            longest = max(range(len(words)), key=lambda k: len(words[k]))
            words[longest] = words[longest][:2] + "q" + words[longest][2:]
        case 5:
            longest = max(range(len(words)), key=lambda k: len(words[k]))
            words[longest] = words[longest][:-2] + words[longest][-1]
        case 6:
            words = [*words, "please", ","]
            words[0] = words[0].title()
    return " ".join(words)


def exact_copy(text: str, n: int) -> str:
    return [text, text.upper(), text.replace(".", " !"), f"  {text.replace(' ', '  ')}"][n % 4]


def rows(texts: list[str], prefix: str, group: str = "") -> list[Example]:
    return [
        Example.of({"text": text}, {"y": "a"}, id=f"{prefix}{n}", group=group)
        for n, text in enumerate(texts)
    ]


def test_planted_leaks_are_found_and_hardly_any_other() -> None:
    generator = random.Random(7)
    train, clean = (texts := sentences(5000, generator))[:4000], texts[4000:]
    exact = [exact_copy(text, n) for n, text in enumerate(train[:50])]
    near = [changed(text, n, generator) for n, text in enumerate(train[50:100])]
    shared = rows(["alone here stands a row of one group"], "g", "anna")
    shared_train = rows(["another row of that very person comes here"], "h", "anna")
    leaks = find_leaks(
        {
            "train": rows(train, "t") + shared_train,
            "test": rows(clean, "c") + rows(exact, "e") + rows(near, "n") + shared,
        }
    )
    found = {kind: {x.other_id for x in leaks if x.kind == kind} for kind in ("exact", "near")}
    assert found["exact"] >= {f"e{n}" for n in range(50)}
    planted = {f"n{n}" for n in range(50)}
    assert len((found["near"] | found["exact"]) & planted) >= 48
    assert len((found["near"] | found["exact"]) & {f"c{n}" for n in range(1000)}) <= 10
    assert [leak for leak in leaks if leak.kind == "group"] == [
        Leak("group", "train", "h0", "test", "g0")
    ]


def kinds(one: dict[str, object], other: dict[str, object]) -> list[str]:
    pair = {"train": one, "test": other}
    examples = {name: [Example.of(inputs, {})] for name, inputs in pair.items()}  # type: ignore[arg-type]
    return [leak.kind for leak in find_leaks(examples)]


ALIKE = [
    ("I like it.", "i LIKE  it !", "exact"),
    ("don't stop the music", "dont stop the music", "exact"),
    (
        "I really liked the film we saw on Friday",
        "I really liked the film we saw on Monday",
        "near",
    ),
    ("I really liked the film we saw", "I liked the film we saw", "near"),
    ("can you tell me my balance please", "can you tell my me balance please", "near"),
    ("can you tell me my balance", "can you tell me my balanec", "near"),
]
APART = [
    ("what is my balance", "what is my pin"),
    ("what is my balance", "what is my bank balance for the account in london"),
    ("C++", "C#"),
    ("5 + 3", "5 - 3"),
    ("5 3", "53"),
    ("?", "!?x"),
    ("turn it on", "turn it off"),
    (
        "the film about the 7 samurai is long and good",
        "the film about the 9 samurai is long and good",
    ),
    ("name a colour of the rainbow", "name a planet of the sun"),
]


@pytest.mark.parametrize(("one", "other", "kind"), ALIKE)
def test_these_texts_are_alike(one: str, other: str, kind: str) -> None:
    assert kinds({"text": one}, {"text": other}) == [kind]


@pytest.mark.parametrize(("one", "other"), APART)
def test_these_texts_are_not(one: str, other: str) -> None:
    assert kinds({"text": one}, {"text": other}) == []


CONTEXT = "Ada Lovelace was born in London in the year when her father wrote of dreams"


def test_a_shared_context_alone_is_no_leak() -> None:
    one = {"context": CONTEXT, "question": "Where was she born?"}
    assert kinds(one, {"context": CONTEXT, "question": "Who wrote of dreams?"}) == []
    assert kinds(one, {"context": CONTEXT, "question": "where was she born"}) == ["exact"]
    assert kinds(one, {"context": CONTEXT + " again", "question": "Where was she born?"}) == [
        "near"
    ]


def test_numbers_must_be_equal() -> None:
    assert kinds({"a": 12, "b": 5}, {"a": 12, "b": 6}) == []
    assert kinds({"a": 12, "b": 5}, {"a": 12, "b": 5}) == ["exact"]
    assert kinds({"text": CONTEXT, "b": 5}, {"text": CONTEXT + " x", "b": 6}) == []


def test_tokens_are_compared_as_a_text() -> None:
    tokens = "She did n't see the film in Rio last week".split()
    assert kinds({"tokens": tokens}, {"tokens": [*tokens[:-1], "year"]}) == ["near"]


def test_every_leaking_row_is_named_once_at_least() -> None:
    text = "the same sentence stands here several times"
    splits = {
        "train": rows([text] * 3, "t"),
        "dev": rows([text], "d"),
        "test": rows([text] * 2, "e"),
    }
    leaks = find_leaks(splits)
    assert {(leak.split, leak.other_split) for leak in leaks} == {
        ("train", "dev"),
        ("train", "test"),
        ("dev", "test"),
    }
    assert {leak.id for leak in leaks} == {"t0", "t1", "t2", "d0"}
    assert {leak.other_id for leak in leaks} == {"d0", "e0", "e1"}


def test_likes_within_a_split_and_empty_groups_are_no_leak() -> None:
    text = "the same sentence stands here several times"
    splits = {"train": rows([text, text + " now"], "t"), "test": rows(["another one"], "e")}
    assert find_leaks(splits) == []
    assert find_leaks({"train": [], "dev": [], "test": []}) == []


def test_thousands_of_equal_rows_take_no_time() -> None:
    text = "the same sentence stands here several times"
    many = [f"{text} {'abcdefghij'[n % 10]}" for n in range(6000)]
    start = time.process_time()
    leaks = find_leaks({"train": rows(many, "t"), "test": rows(many[:2000], "e")})
    assert len({leak.other_id for leak in leaks}) == 2000
    assert time.process_time() - start < 5


def test_the_size_of_clinc150_takes_under_ten_seconds() -> None:
    generator = random.Random(3)
    texts = sentences(21_600, generator, shortest=4)
    splits = {
        "train": rows(texts[:15_000], "t"),
        "dev": rows(texts[15_000:18_000], "d"),
        "test": rows(texts[18_000:], "e"),
    }
    start = time.process_time()
    find_leaks(splits)
    assert time.process_time() - start < 10


def test_memory_grows_by_a_few_kilobytes_a_row() -> None:
    texts = sentences(1_000, random.Random(3), shortest=4)
    splits = {"train": rows(texts[:700], "t"), "test": rows(texts[700:], "e")}
    tracemalloc.start()
    find_leaks(splits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000 * 300_000_000 / 21_600
