"""A template's grammar, and how its pieces and an example's inputs become tokens."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from afina.backbones.backbone import backbone_of
from afina.backbones.frozen import Frozen, freeze
from afina.backbones.injection import Embeddings, slot
from afina.errors import InputError, ModelError
from afina.soft.template import (
    Mask,
    Named,
    Slots,
    Template,
    Words,
    check_answer_place,
    check_signature,
    escaped,
)
from afina.soft.template_reading import TemplateReader, behind, fitted
from afina.task.signature import Signature
from tests.tiny import DECODERS, FAMILIES, VOCABULARY, raw_model, shared

ONE = Signature.parse("review -> mood: good | bad")
TWO = Signature.parse("first, second -> same: yes | no")
CLOZE = "{p:3} {review} {p:2} it was {mask} ."
MASK = VOCABULARY["<mask>"]


def reader(
    text: str, frozen: Frozen | None = None, signature: Signature = ONE, room: int = 60
) -> TemplateReader:
    return TemplateReader(frozen or shared("bert").frozen, signature, room, Template.parse(text))


def test_a_template_is_its_pieces_in_order() -> None:
    found = Template.parse("{p:3} {review}{p:12}It was {mask}.").pieces
    assert found == (
        Slots(3),
        Words(" "),
        Named("review"),
        Slots(12),
        Words("It was "),
        Mask(),
        Words("."),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{a}}", "{a}"),
        ("{{", "{"),
        ("}}", "}"),
        ('{{"a": {{}}}}', '{"a": {}}'),
        ("{{p:3}}", "{p:3}"),
    ],
)
def test_braces_that_are_doubled_are_braces(text: str, words: str) -> None:
    assert Template.parse(text).pieces == (Words(words),)


def test_a_doubled_brace_may_stand_beside_a_place() -> None:
    assert Template.parse("{{{p:3}}}").pieces == (Words("{"), Slots(3), Words("}"))


@given(
    st.lists(
        st.one_of(
            st.builds(Slots, st.integers(1, 9999)),
            st.builds(Named, st.sampled_from(["review", "a_b", "p", "naïve"])),
            st.just(Mask()),
        ),
        max_size=6,
    ),
    st.text(max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_again(places: list[Slots | Named | Mask], words: str) -> None:
    """Any text stands between places. Broken by leaving a brace undoubled when it is written."""
    pieces: list[Slots | Named | Mask | Words] = []
    for place in places:
        if place == Mask() and Mask() in pieces:
            continue
        pieces += [place, *([Words(words)] if words else [])]
    template = Template(tuple(pieces))
    assert Template.parse(str(template)) == template


@pytest.mark.parametrize(
    "inside",
    [
        "p:0", "p:", "p:-1", "p:03", "p:10000", "p:1.5", "p:3 ", "P:3", "p:٣", "review.x",
        "review[0]", "review()", "review!r", "review:>9", "x.__class__", "__class__", "_x", "", " ",
        "review ", "%", "0", "a b", "mask.x", "mask:1",
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused_with_its_line(inside: str) -> None:
    """FAULTS 16. Broken by taking any text in braces for a name."""
    with pytest.raises(
        InputError, match=r"template, line 2, column 4: expected \{p:3\} for"
    ) as got:
        Template.parse(f"{{review}}\nab {{{inside}}} c")
    assert f"got '{{{inside}}}'" in str(got.value)


@pytest.mark.parametrize("text", ["{review", "review}", "a {{{review}}", "{", "}", "{a{b}"])
def test_a_brace_without_its_other_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"\{\{ or \}\} for a brace; got "):
        Template.parse(text)


def test_several_masks_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected one \{mask\} at most"):
        Template.parse("{mask} {review} {mask}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{p:3} {revue}", r"expected the task's inputs \{review\} in .*, got \{revue\}"),
        ("{review} {mood}", r"got \{mood\}"),
        ("{p:3} It was {mask}", r"expected an input of the task .*, got none; put \{review\} into"),
        ("", "got none"),
    ],
)
def test_a_template_without_the_tasks_inputs_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_signature(Template.parse(text), ONE)


def test_an_input_called_as_the_answers_place_is_refused() -> None:
    with pytest.raises(InputError, match="an input is called 'mask'"):
        check_signature(Template.parse("{mask}"), Signature.parse("mask -> a"))


def test_an_encoders_words_need_a_mask_and_a_head_has_none() -> None:
    with_mask, without = Template.parse("{review} {mask} ."), Template.parse("{review}")
    check_answer_place(with_mask, fills_mask=True, by_words=True)
    check_answer_place(without, fills_mask=True, by_words=False)
    with pytest.raises(InputError, match=r"expected \{mask\} in the template '\{review\}'"):
        check_answer_place(without, fills_mask=True, by_words=True)
    with pytest.raises(InputError, match=r"expected no \{mask\} .* a head answers from the whole"):
        check_answer_place(with_mask, fills_mask=True, by_words=False)


@pytest.mark.parametrize("text", ["{review} {mask}", "{review} {mask} ", "{review}"])
def test_a_model_that_writes_on_answers_last(text: str) -> None:
    check_answer_place(Template.parse(text), fills_mask=False, by_words=True)


@pytest.mark.parametrize("text", ["{review} {mask} .", "{mask} {review}", "{review} {mask} {p:1}"])
def test_a_model_that_writes_on_is_refused_a_mask_elsewhere(text: str) -> None:
    with pytest.raises(InputError, match=r"expected \{mask\} last in the template"):
        check_answer_place(Template.parse(text), fills_mask=False, by_words=True)


def test_a_row_is_the_template_with_its_values() -> None:
    row = reader(CLOZE).read({"review": "good film"})
    words = [VOCABULARY[word] for word in "good film it was .".split()]
    slots = [slot(number) for number in range(5)]
    assert row.tokens == [*slots[:3], *words[:2], *slots[3:], *words[2:4], MASK, words[4]]
    assert row.cut == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_vectors_of_words_equal_those_words_written_out(family: str) -> None:
    """At the place where they stand. Broken by numbering slots from 1."""
    backbone = shared(family)
    frozen = backbone.frozen
    ending = "" if family not in DECODERS and frozen.kind != "encoder" else " never"
    soft = reader(f"{{p:2}} {{review}} {{p:1}} it{ending}", frozen)
    hard = reader(f"the film {{review}} so it{ending}", frozen)
    words = frozen.encode("the film so")
    prompt = Embeddings(frozen.embed(words), anywhere=True)
    values = [{"review": "good film"}, {"review": "a very dull plot and bad film"}]
    one = backbone.states([soft.read(each).tokens for each in values], [prompt, prompt])
    other = backbone.states([hard.read(each).tokens for each in values], [None, None])
    assert torch.allclose(one, other, atol=1e-5)


GENERATED = ["{p:3}", "{{x}}", "{mask}", "[MASK]", "<mask>", "</s>", "{review}", "{0}", "<pad>"]


@pytest.mark.parametrize("value", GENERATED)
@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_what_looks_like_a_place_in_a_value_is_text(value: str, family: str) -> None:
    """FAULTS 15 and 17. Broken by formatting twice, or by reading special tokens in a text."""
    frozen = shared(family).frozen
    text = CLOZE if family == "bert" else "{p:3} {review} {p:2} it was"
    plain = reader(text, frozen).read({"review": ""}).tokens
    found = reader(text, frozen).read({"review": f"good {value} film"}).tokens
    specials = set(frozen.tokenizer.all_special_ids) - {frozen.tokenizer.unk_token_id}
    for token in {*specials, *(slot(number) for number in range(9))}:
        assert found.count(token) == plain.count(token)


@given(st.lists(st.sampled_from([*GENERATED, "good", " ", "\n", "<", "mask>", "{"]), max_size=9))
@settings(max_examples=300, deadline=None)
def test_no_value_adds_a_mask_or_a_vector(parts: list[str]) -> None:
    found = reader(CLOZE).read({"review": "".join(parts)}).tokens
    assert found.count(MASK) == 1
    assert sorted(token for token in found if token < 0) == [-5, -4, -3, -2, -1]


def test_the_templates_own_words_are_text_too() -> None:
    """Broken by reading ``<mask>`` in a template as the mask."""
    assert reader("{p:1} {review} <mask> {mask}").read({"review": "a"}).tokens.count(MASK) == 1


def test_a_long_value_loses_its_end_and_says_so() -> None:
    found = reader(CLOZE, room=12).read({"review": "good film it was great"})
    assert len(found.tokens) == 12
    assert found.cut == 2
    assert found.tokens[3:6] == [VOCABULARY[word] for word in "good film it".split()]
    assert found.tokens[-1] == VOCABULARY["."]


def test_of_several_values_the_longest_are_cut() -> None:
    both = reader("{p:1} {first} {second}", signature=TWO, room=7)
    found = both.read({"first": "good " * 9, "second": "bad film"})
    assert [token for token in found.tokens if token >= 0][-2:] == [
        VOCABULARY["bad"],
        VOCABULARY["film"],
    ]
    assert found.cut == 5


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers(6, 200))
@settings(max_examples=300, deadline=None)
def test_room_is_filled_and_never_overrun(lengths: list[int], room: int) -> None:
    kept = fitted(lengths, room)
    assert sum(kept) == min(sum(lengths), room)
    cut = [length for length, keep in zip(lengths, kept, strict=True) if keep < length]
    assert all(keep <= length for length, keep in zip(lengths, kept, strict=True))
    whole = [keep for length, keep in zip(lengths, kept, strict=True) if keep == length]
    shortest = min((k for n, k in zip(lengths, kept, strict=True) if k < n), default=99)
    assert not cut or not whole or max(whole) <= shortest + 1


@pytest.mark.parametrize("room", [5, 8, 9])
def test_a_template_without_room_for_the_text_is_refused(room: int) -> None:
    with pytest.raises(ModelError, match="takes 9 places and leaves no room for the text"):
        reader(CLOZE, room=room)
    assert reader(CLOZE, room=10).read({"review": "good film"}).cut == 1


@pytest.mark.parametrize("value", [0, 0.0, False, ["good", "film"]])
def test_values_of_any_type_stand_as_their_text(value: object) -> None:
    """FAULTS 13: 0 and False are values."""
    text = "good film" if isinstance(value, list) else str(value)
    found = reader("{p:1} {review}").read({"review": value})
    assert found == reader("{p:1} {review}").read({"review": text})
    assert len(found.tokens) == 1 + len(text.split())


# Tokenizers that mark spaces, each in its way.


def alphabet() -> dict[str, int]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    return {letter: number for number, letter in enumerate(letters)}


def byte_level() -> PreTrainedTokenizerBase:
    """As GPT-2's: a word's space is its first letter, ``Ġ``."""
    vocabulary = alphabet()
    merges = [("g", "o"), ("o", "d"), ("go", "od"), ("Ġ", "good"), ("w", "a"), ("wa", "s")]
    for left, right in [*merges, ("Ġ", "was")]:
        vocabulary.setdefault(left + right, len(vocabulary))
    vocabulary["Ġgood"] = vocabulary.get("Ġgood", len(vocabulary))
    inner = Tokenizer(models.BPE(vocabulary, [*merges, ("Ġ", "was")]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def unigram() -> PreTrainedTokenizerBase:
    """As T5's and ALBERT's: each text gets a space, ``▁``, and special tokens are words."""
    words = {"<unk>": -9.0, "</s>": 0.0, "[MASK]": 0.0, "▁": -3.0, "▁good": -2.0, "▁was": -2.0}
    words |= dict.fromkeys("abcdefghijklmnopqrstuvwxyz<>/[].:MASK", -6.0)
    inner = Tokenizer(models.Unigram(list(words.items()), unk_id=0))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", eos_token="</s>", mask_token="[MASK]"
    )


def word_piece() -> PreTrainedTokenizerBase:
    """As BERT's: spaces are gone, and what goes on in a word has ``##`` before it."""
    words = ["[UNK]", "[MASK]", "good", "was", ".", ":", *"abcdefghijklmnopqrstuvwxyz[]"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    inner = Tokenizer(models.WordPiece({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]", mask_token="[MASK]")


KINDS = {"byte-level": byte_level, "unigram": unigram, "word-piece": word_piece}


def frozen_with(kind: str, family: str = "gpt2") -> Frozen:
    """A frozen model whose weights are not asked; its tokenizer is."""
    return freeze(f"tiny:{kind}", raw_model(family), KINDS[kind](), kind="decoder")


def spelt(kind: str, text: str, value: str) -> list[str]:
    """A row as the tokenizer's pieces, vectors as ``*``."""
    frozen = frozen_with(kind)
    tokens = reader(text, frozen).read({"review": value}).tokens
    pieces: list[str] = [
        "*" if token < 0 else str(frozen.tokenizer.convert_ids_to_tokens(token)) for token in tokens
    ]
    return pieces


SPELT = [
    ("byte-level", "{p:1} {review} {p:1} was", ["*", "Ġgood", "*", "Ġwas"]),
    ("byte-level", "{p:1}{review}{p:1}was", ["*", "good", "*", "was"]),
    ("byte-level", "{review} was {p:1} good.", ["good", "Ġwas", "*", "Ġgood", "."]),
    ("byte-level", "{review}\n{p:1}was", ["good", "Ċ", "*", "was"]),
    ("unigram", "{p:1} {review} {p:1} was", ["*", "▁good", "*", "▁was"]),
    ("unigram", "{p:1}{review}{p:1} was", ["*", "▁good", "*", "▁was"]),
    ("unigram", "{review} was {p:1} good.", ["▁good", "▁was", "*", "▁good", "."]),
    ("unigram", "was:{review}", ["▁was", ":", "g", "o", "o", "d"]),
    ("word-piece", "{p:1} {review} {p:1} was .", ["*", "good", "*", "was", "."]),
    ("word-piece", "{p:1}{review}{p:1}was", ["*", "good", "*", "was"]),
    ("word-piece", "{review}s", ["good", "##s"]),
]


@pytest.mark.parametrize(("kind", "text", "pieces"), SPELT)
def test_beside_a_vector_a_word_is_spelt_as_in_a_sentence(
    kind: str, text: str, pieces: list[str]
) -> None:
    """Broken by reading each piece as a text of its own, or by keeping a space before a vector."""
    assert spelt(kind, text, "good") == pieces


@pytest.mark.parametrize("kind", KINDS)
def test_without_vectors_a_row_is_the_text_that_is_written(kind: str) -> None:
    """The identity behind the spelling: places of values are no seams."""
    frozen = frozen_with(kind)
    chance = random.Random(0)
    for _ in range(50):
        value = " ".join(chance.choice(["good", "was", "ab", "good."]) for _ in range(4))
        for text in ("{review} was good", "was: {review} .", "was {review}"):
            whole = frozen.encode(text.replace("{review}", value))
            assert reader(text, frozen).read({"review": value}).tokens == whole


@pytest.mark.parametrize(
    ("kind", "text", "pieces"),
    [
        ("byte-level", "{review} was {mask}", ["Ġgood"]),
        ("byte-level", "{review} was", ["Ġgood"]),
        ("byte-level", "{review} was ", ["Ġgood"]),
        ("byte-level", "{review} was\n", ["good"]),
        ("byte-level", "{review} ({mask}", ["good"]),
        ("unigram", "{review} was {mask}", ["▁good"]),
        ("unigram", "{review} was", ["▁good"]),
        ("word-piece", "{review} was {mask}", ["good"]),
    ],
)
def test_a_label_is_spelt_as_behind_the_template(kind: str, text: str, pieces: list[str]) -> None:
    frozen = frozen_with(kind)
    found = reader(text, frozen).answer("good")
    assert frozen.tokenizer.convert_ids_to_tokens(found) == pieces


def test_a_space_that_ends_a_template_stands_with_the_answer() -> None:
    """Broken by a lone space in front of the answer's own."""
    frozen = frozen_with("byte-level")
    one, other = (
        reader(text, frozen).read({"review": "good"}) for text in ("{review} ", "{review}")
    )
    assert one == other


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_value_leaves_no_token(kind: str) -> None:
    found = reader("{p:1} {review} was", frozen_with(kind))
    assert found.read({"review": ""}).tokens == found.empty()


@pytest.mark.parametrize("text", ["good </s> good", "a[MASK]b", "</s>", "[MASK][MASK]"])
def test_special_tokens_that_a_vocabulary_has_as_words_are_read_as_text(text: str) -> None:
    """Unigram models score them best. Broken by trusting ``split_special_tokens`` alone."""
    frozen = frozen_with("unigram")
    specials = {frozen.tokenizer.eos_token_id, frozen.tokenizer.mask_token_id}
    plain = frozen.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert specials & set(plain), "the tokenizer alone does not keep them apart"
    found = frozen.encode(text)
    assert not specials & set(found)
    spelt = "".join(frozen.tokenizer.convert_ids_to_tokens(found)).replace("▁", "")
    assert spelt == text.replace(" ", "")


def test_a_label_without_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="expected a word that tiny:bert can read, got ''"):
        reader(CLOZE).answer("")


def test_braces_in_words_are_doubled() -> None:
    assert Template.parse(escaped("a {b} }{")).pieces == (Words("a {b} }{"),)


def test_behind_reads_a_text_as_it_goes_on() -> None:
    frozen = frozen_with("byte-level")
    assert behind(frozen, " good", (".",)) == frozen.encode(" good")
    assert behind(frozen, "good", (".",)) == frozen.encode("good")


def test_a_template_reader_serves_a_backbone() -> None:
    """The rows are such as every backbone takes."""
    backbone = backbone_of(shared("llama").frozen)
    row = reader("{p:2} {review}", backbone.frozen).read({"review": "good"})
    prompt = Embeddings(torch.zeros(2, 32), anywhere=True)
    assert backbone.features([row.tokens], [prompt]).shape == (1, 32)
