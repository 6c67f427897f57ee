"""A value: what a cell of a file holds once it is read as a field's type."""

import difflib
import itertools
import json
import math
import re
from collections.abc import Sequence

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

TRUTH = {"true": True, "1": True, "false": False, "0": False}
TAG = re.compile(r"O|([BI])-(.+)")


def read_value(field_type: FieldType, raw: object) -> Value:
    """Turn a raw cell, a text or a JSON value, into a value; raises ValueError with the reason.

    >>> read_value(Choice(("yes", "no")), "yes")
    'yes'
    >>> read_value(Spans(("PER",)), ["O", "B-PER", "I-PER"])
    [Span(start=1, end=3, label='PER')]
    """
    match field_type:
        case Text():
            return read_text(raw)
        case Integer():
            return read_integer(raw)
        case Number():
            return read_number(raw)
        case Boolean():
            return read_boolean(raw)
        case TextList():
            return read_texts(raw)
        case Choice(labels):
            return read_label(raw, labels)
        case Spans(()):
            return [read_text(raw)] if isinstance(raw, str) else read_texts(raw)
        case Spans(labels):
            return read_spans(raw, labels)


def came(raw: object) -> str:
    """A raw cell for a message, cut short."""
    if isinstance(raw, float) and not math.isfinite(raw):
        return str(raw)
    text = repr(raw)
    return text if len(text) <= 80 else text[:77] + "..."


def read_text(raw: object) -> str:
    """Read a text that can be written as UTF-8."""
    if not isinstance(raw, str):
        raise ValueError(f"expected a text, came {came(raw)}")
    if "\0" in raw:
        raise ValueError(f"expected a text without NUL characters, came {came(raw)}")
    if re.search("[\ud800-\udfff]", raw):
        raise ValueError(f"expected a text of whole characters, came {came(raw)}")
    return raw


def read_integer(raw: object) -> int:
    """Read a whole number of at most 18 digits."""
    text = raw if isinstance(raw, str) else str(raw) if type(raw) is int else ""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError(f"expected a whole number of at most 18 digits, came {came(raw)}")
    return int(text)


def read_number(raw: object) -> float:
    """Read a finite number."""
    text = raw if isinstance(raw, str) else str(raw) if type(raw) in (int, float) else ""
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise ValueError(f"expected a finite number, came {came(raw)}")


def read_boolean(raw: object) -> bool:
    """Read true, false, 1 or 0."""
    text = str(raw).lower() if type(raw) in (str, bool, int) else ""
    if text not in TRUTH:
        raise ValueError(f"expected true, false, 1 or 0, came {came(raw)}")
    return TRUTH[text]


def read_texts(raw: object) -> list[str]:
    """Read a list of texts; in a table, one written as JSON."""
    items = parse_list(raw)
    if items is None:
        raise ValueError(f'expected a list of texts such as ["a", "b"], came {came(raw)}')
    return [read_text(item) for item in items]


def parse_list(raw: object) -> list[object] | None:
    """A list as it is, or written as JSON; None where it is neither."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return None
    return raw if isinstance(raw, list) else None


def read_label(raw: object, labels: Sequence[str]) -> str:
    """Read one of the labels; with no labels, any text that is not empty."""
    text = str(raw).lower() if isinstance(raw, bool) else str(raw) if type(raw) is int else raw
    label = read_text(text)
    if label not in labels and (labels or not label):
        raise ValueError(f"expected {known(label, labels)}, came {came(raw)}")
    return label


def known(came: str, labels: Sequence[str]) -> str:
    """The labels nearest to what came, all where they are few."""
    if not labels:
        return "a label"
    few = list(labels) if len(labels) <= 5 else difflib.get_close_matches(came, labels, 3, 0.3)
    names = " or ".join(repr(label) for label in few or labels[:3])
    return names if len(labels) <= 5 else f"one of the {len(labels)} labels such as {names}"


def read_spans(raw: object, labels: Sequence[str]) -> list[Span]:
    """Read BIO tags, or spans written as [start, end, label] or {"start", "end", "label"}."""
    items = parse_list(raw)
    if items is None and isinstance(raw, str):
        items = list(raw.split())
    if items is None:
        raise ValueError(f"expected a list of tags or of spans, came {came(raw)}")
    if items and all(isinstance(item, str) for item in items):
        return spans_of([str(item) for item in items], labels)
    spans = sorted(read_span(item, labels) for item in items)
    for one, other in itertools.pairwise(spans):
        if other.start < one.end:
            raise ValueError(f"expected spans that do not overlap, came {one} and {other}")
    return spans


def read_span(item: object, labels: Sequence[str]) -> Span:
    """Read one span."""
    if isinstance(item, dict):
        item = [item.get(key) for key in ("start", "end", "label")]
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise ValueError(f"expected a span [start, end, label], came {came(item)}")
    start, end, label = item
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise ValueError(f"expected a span with 0 <= start < end, came {came(item)}")
    return Span(start, end, read_label(label, labels))


def spans_of(tags: Sequence[str], labels: Sequence[str]) -> list[Span]:
    """Read BIO, IOB1 or IO tags into spans.

    ``B-X`` always begins a span. ``I-X`` goes on with a span of X that ends just before it, and
    begins one otherwise, as conlleval and seqeval have it; so one rule reads all three schemes.
    """
    spans: list[Span] = []
    for place, tag in enumerate(tags):
        found = TAG.fullmatch(tag)
        if found is None:
            raise ValueError(f"expected a tag O, B-LABEL or I-LABEL, came {came(tag)}")
        if tag == "O":
            continue
        label = read_label(found[2], labels)
        last = spans[-1] if spans else None
        if found[1] == "I" and last and last.end == place and last.label == label:
            spans[-1] = last._replace(end=place + 1)
        else:
            spans.append(Span(place, place + 1, label))
    return spans
