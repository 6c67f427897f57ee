"""Signatures: the grammar, its round trip, classes, and one clear error for each fault."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afina.errors import SignatureError
from afina.task.signature import (
    WORDS,
    Boolean,
    Choice,
    Field,
    FieldType,
    Input,
    Integer,
    Number,
    Output,
    Signature,
    Spans,
    Text,
    TextList,
)

READ = [
    ("review -> sentiment: positive | negative", Choice(("positive", "negative"))),
    ("context, question -> answer", Text()),
    ("context, question -> answer: str", Text()),
    ("a: int, b: list[str] -> c: bool", Boolean()),
    ("a:float->c:int", Integer()),
    ("a -> c: float", Number()),
    ("a -> c: list[str]", TextList()),
    ("tokens: list[str] -> entities: spans[PER | ORG | LOC]", Spans(("PER", "ORG", "LOC"))),
    ("tokens: list[str] -> entities: spans[PER]", Spans(("PER",))),
    ("context, question -> answer: spans", Spans(())),
    ("text -> intent: choice", Choice(())),
    ("a -> b: not at all | some what", Choice(("not at all", "some what"))),
    ('a -> b: "a | b" | "c: d, e -> f" | "[x]"', Choice(("a | b", "c: d, e -> f", "[x]"))),
    (r'a -> b: "say \"hi\"" | "back\\slash"', Choice(('say "hi"', "back\\slash"))),
    ("a -> b: int | str", Choice(("int", "str"))),
    ("avaliação -> opinião: ótimo | péssimo", Choice(("ótimo", "péssimo"))),
    ("a -> b: creative-work | 1", Choice(("creative-work", "1"))),
]


@pytest.mark.parametrize(("text", "target"), READ)
def test_a_signature_is_read_and_written_back(text: str, target: FieldType) -> None:
    signature = Signature.parse(text, "Do it.")
    assert signature.target.type == target
    assert signature.instruction == "Do it."
    assert Signature.parse(str(signature), "Do it.") == signature


def test_inputs_keep_their_order_and_types() -> None:
    signature = Signature.parse("a: int, b: list[str] -> c: bool, d")
    assert signature.inputs == (Field("a", Integer()), Field("b", TextList()))
    assert signature.outputs == (Field("c", Boolean()), Field("d", Text()))
    assert str(signature) == "a: int, b: list[str] -> c: bool, d"


def test_a_choice_may_have_151_labels() -> None:
    labels = tuple(f"label_{n}" for n in range(151))
    signature = Signature.parse(f"text -> intent: {' | '.join(labels)}")
    assert signature.target.type == Choice(labels)


MALFORMED = [
    ("", "came nothing"),
    ("   ", "came nothing"),
    ("review", "no arrow"),
    ("review sentiment", "no arrow"),
    ("a -> b -> c", "2 arrows"),
    ("-> b", "at least one input"),
    ("a ->", "at least one output"),
    ("->", "at least one input"),
    ("a, a -> b", "'a' stands twice"),
    ("a -> a", "'a' stands twice"),
    ("a -> b, b", "'b' stands twice"),
    ("a,, b -> c", "between the commas"),
    ("a, -> c", "between the commas"),
    ("1a -> b", "expected a name"),
    ("_a -> b", "expected a name"),
    ("__class__ -> b", "expected a name"),
    ("a.b -> c", "expected a name"),
    ("a b -> c", "expected a name"),
    ("a{0} -> c", "expected a name"),
    ("a -> : int", "expected a name"),
    ("x" * 101 + " -> b", "expected a name"),
    ("a: text -> b", "expected a type for 'a'"),
    ("a: -> b", "expected a type for 'a'"),
    ("a: list[int] -> b", "expected a type for 'a'"),
    ("a: Optional[str] -> b", "expected a type for 'a'"),
    ("a -> b: positive", "expected a type for 'b'"),
    ('a -> b: "positive"', "at least two labels"),
    ("a -> b: x |", "an empty one"),
    ("a -> b: | x", "an empty one"),
    ("a -> b: x || y", "an empty one"),
    ('a -> b: x | ""', "an empty one"),
    ("a -> b: x | x", "'x' stands twice"),
    ('a -> b: x | "x"', "'x' stands twice"),
    ('a -> b: "x | y', "never closed"),
    ('a -> b: x" | y', "never closed"),
    (r'a -> b: "x\n" | y', "never closed"),
    ('a -> b: "x" y | z', "in quotes"),
    ("a -> b: x: y | z", "quote labels"),
    ("a -> b: spans[]", "an empty one"),
    ("a -> b: spans[x | x]", "'x' stands twice"),
    ("a -> b: spans[x", "brackets"),
    ("a -> b: spans x]", "brackets"),
    ("a -> b: spans[x]y", "expected a type"),
    ("a -> b: x  y | z", "in quotes"),
    ('a -> b: " x" | z', "printable"),
    ('a -> b: "x\n" | z', "printable"),
    ("a -> b: x\0 | z", "printable"),
    ("a -> b: x[0] | y", "in quotes"),
]


@pytest.mark.parametrize(("text", "reason"), MALFORMED)
def test_a_malformed_signature_gets_one_clear_error(text: str, reason: str) -> None:
    with pytest.raises(SignatureError) as caught:
        Signature.parse(text)
    message = str(caught.value)
    assert reason in message
    assert "\n" not in message
    assert len(message) < 400


LABEL = st.text(st.characters(exclude_categories=("C", "Z"), codec="utf-8"), min_size=1)
ODD = st.text(st.sampled_from('ab |,:[]"\\->'), min_size=1).map(str.strip).filter(bool)
LABELS = st.lists(LABEL | ODD, min_size=2, max_size=8, unique=True).map(tuple)
TYPES = st.sampled_from(list(WORDS.values())) | LABELS.map(Choice) | LABELS.map(Spans)
NAMES = st.lists(
    st.from_regex(r"[a-zA-Zé][a-zA-Z0-9_é]{0,8}", fullmatch=True), min_size=2, unique=True
)


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    fields = [Field(name, draw(TYPES)) for name in draw(NAMES)]
    cut = draw(st.integers(1, len(fields) - 1))
    return Signature(tuple(fields[:cut]), tuple(fields[cut:]))


@given(signatures())
def test_every_signature_reads_back_as_itself(signature: Signature) -> None:
    assert Signature.parse(str(signature)) == signature


@given(st.text(st.sampled_from('ab |,:[]"\\-> \n')))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        signature = Signature.parse(text)
    except SignatureError:
        return
    assert Signature.parse(str(signature)) == signature


class Sentiment:
    """Say whether the review
    is positive.
    """

    review: str = Input("a review")
    stars: int = Input()
    score: float = Input()
    fresh: bool = Input()
    tags: list[str] = Input()
    sentiment: Literal["positive", "negative"] = Output("the verdict")


def test_a_class_is_a_signature() -> None:
    signature = Signature.of(Sentiment)
    assert signature.inputs == (
        Field("review", Text(), "a review"),
        Field("stars", Integer()),
        Field("score", Number()),
        Field("fresh", Boolean()),
        Field("tags", TextList()),
    )
    assert signature.outputs == (
        Field("sentiment", Choice(("positive", "negative")), "the verdict"),
    )
    assert signature.instruction == "Say whether the review\nis positive."


def test_an_annotation_in_quotes_is_never_evaluated() -> None:
    class Hostile:
        a: "print('evaluated')" = Input()
        b: str = Output()

    with pytest.raises(SignatureError, match="came the text"):
        Signature.of(Hostile)


def test_a_class_must_tell_inputs_from_outputs() -> None:
    class Unmarked:
        a: str = "x"
        b: str = Output()

    with pytest.raises(SignatureError, match=r"a = Input\(\) or a = Output\(\)"):
        Signature.of(Unmarked)


@pytest.mark.parametrize("annotation", [dict, list[int], str | None, Literal["a", 1], bytes])
def test_other_annotations_are_refused(annotation: object) -> None:
    source = type("Odd", (), {"__annotations__": {"a": annotation}, "a": Input()})
    with pytest.raises(SignatureError, match="for 'a'"):
        Signature.of(source)


def test_a_class_without_outputs_is_refused() -> None:
    class Half:
        a: str = Input()

    with pytest.raises(SignatureError, match="at least one output"):
        Signature.of(Half)
