"""Values: what arrives unchanged, and what is refused with the reason."""

import math

import pytest

from afina.solver import Span, Value
from afina.task.signature import (
    Boolean,
    Choice,
    FieldType,
    Integer,
    Number,
    Spans,
    Text,
    TextList,
)
from afina.task.value import read_value

PER = Spans(("PER", "LOC"))
MANY = Choice((*(f"card_{n}" for n in range(150)), "transfer_fee"))

READ: list[tuple[FieldType, object, Value]] = [
    (Text(), "", ""),
    (Text(), " a\tb ", " a\tb "),
    (Text(), "=HYPERLINK(1)", "=HYPERLINK(1)"),
    (Text(), "{{7*7}}", "{{7*7}}"),
    (Integer(), "0", 0),
    (Integer(), 0, 0),
    (Integer(), "-12", -12),
    (Number(), "0.0", 0.0),
    (Number(), 0.0, 0.0),
    (Number(), 3, 3.0),
    (Number(), "1e-3", 0.001),
    (Boolean(), False, False),
    (Boolean(), "0", False),
    (Boolean(), 0, False),
    (Boolean(), "1", True),
    (Boolean(), "True", True),
    (Boolean(), "false", False),
    (TextList(), [], []),
    (TextList(), ["a", ""], ["a", ""]),
    (TextList(), '["a", "b"]', ["a", "b"]),
    (Choice(("yes", "no")), "no", "no"),
    (Choice(("0", "1")), 0, "0"),
    (Choice(("true", "false")), False, "false"),
    (Choice(()), "anything", "anything"),
    (Spans(()), "an extract", ["an extract"]),
    (Spans(()), ["one", "two"], ["one", "two"]),
    (PER, [], []),
    (PER, ["O", "O"], []),
    (PER, ["B-PER", "I-PER", "O"], [Span(0, 2, "PER")]),
    (PER, "B-PER I-PER O", [Span(0, 2, "PER")]),
    (PER, ["I-PER", "I-PER", "I-LOC"], [Span(0, 2, "PER"), Span(2, 3, "LOC")]),
    (PER, ["I-PER", "B-PER"], [Span(0, 1, "PER"), Span(1, 2, "PER")]),
    (PER, ["B-PER", "B-PER"], [Span(0, 1, "PER"), Span(1, 2, "PER")]),
    (PER, ["B-PER", "O", "I-PER"], [Span(0, 1, "PER"), Span(2, 3, "PER")]),
    (PER, [[1, 3, "PER"], [0, 1, "LOC"]], [Span(0, 1, "LOC"), Span(1, 3, "PER")]),
    (PER, [{"start": 0, "end": 2, "label": "PER"}], [Span(0, 2, "PER")]),
    (PER, '[[1, 3, "PER"]]', [Span(1, 3, "PER")]),
]


@pytest.mark.parametrize(("field_type", "raw", "value"), READ)
def test_a_value_arrives_as_it_is_meant(field_type: FieldType, raw: object, value: Value) -> None:
    read = read_value(field_type, raw)
    assert read == value
    assert type(read) is type(value)


REFUSED: list[tuple[FieldType, object, str]] = [
    (Text(), 5, "expected a text, came 5"),
    (Text(), None, "expected a text, came None"),
    (Text(), ["a"], "expected a text"),
    (Text(), math.nan, "came nan"),
    (Text(), "a\0b", "NUL"),
    (Text(), "\ud800", "whole characters"),
    (Integer(), "3.0", "whole number"),
    (Integer(), 3.0, "whole number"),
    (Integer(), True, "whole number"),
    (Integer(), " 3", "whole number"),
    (Integer(), "٣", "whole number"),
    (Integer(), "9" * 5000, "at most 18 digits"),
    (Integer(), "", "whole number"),
    (Number(), math.nan, "finite number, came nan"),
    (Number(), math.inf, "finite number, came inf"),
    (Number(), "nan", "finite number"),
    (Number(), "-Infinity", "finite number"),
    (Number(), "1e999", "finite number"),
    (Number(), "1,5", "finite number"),
    (Number(), False, "finite number"),
    (Number(), 10**400, "finite number"),
    (Boolean(), "yes", "true, false, 1 or 0"),
    (Boolean(), 2, "true, false, 1 or 0"),
    (Boolean(), 1.0, "true, false, 1 or 0"),
    (TextList(), "a b", "a list of texts"),
    (TextList(), ["a", 1], "expected a text, came 1"),
    (TextList(), "[" * 100_000, "a list of texts"),
    (Choice(("yes", "no")), "maybe", "'yes' or 'no', came 'maybe'"),
    (Choice(("yes", "no")), "Yes", "'yes' or 'no'"),
    (Choice(("yes", "no")), None, "expected a text"),
    (Choice(()), "", "a label"),
    (Spans(()), 3, "a list of texts"),
    (PER, ["B-ORG"], "'PER' or 'LOC', came 'ORG'"),
    (PER, ["S-PER"], "B-LABEL"),
    (PER, ["B_PER"], "B-LABEL"),
    (PER, ["PER"], "B-LABEL"),
    (PER, [[3, 1, "PER"]], "0 <= start < end"),
    (PER, [[-1, 1, "PER"]], "0 <= start < end"),
    (PER, [[0, 2, "PER"], [1, 3, "LOC"]], "do not overlap"),
    (PER, [[0, 1]], "[start, end, label]"),
    (PER, 7, "tags or of spans"),
]


@pytest.mark.parametrize(("field_type", "raw", "reason"), REFUSED)
def test_a_refusal_says_what_was_expected(field_type: FieldType, raw: object, reason: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        read_value(field_type, raw)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_unknown_label_is_shown_the_nearest_and_not_all() -> None:
    with pytest.raises(ValueError, match="one of the 151 labels") as caught:
        read_value(MANY, "transfer_fees")
    assert "'transfer_fee'" in str(caught.value)
    assert str(caught.value).count("card_") <= 2
