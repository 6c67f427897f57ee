"""An output's value from what a model wrote for it, with the names of the repairs it took."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from afina.hard.label import read_label_loosely
from afina.hard.template import plain
from afina.solver import Value, Values
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

FENCE = re.compile(r"```[\w+-]*[ \t]*\n?(.*?)\n?```", re.DOTALL)
BOLD = {"**": "**", "*": "*", "`": "`"}
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»"}
NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:(?:R?\$|[€£¥])[ ]?)?[-+−]?"
    r"(?:[0-9]{1,3}(?:[,\u00a0\u202f][0-9]{3})+(?![0-9])|[0-9]+)?(?:\.[0-9]+|(?<=[0-9]))"
    r"(?:[eE][-+]?[0-9]{1,3})?(?!\.?[0-9]|[eE][-+]?[0-9])"
)
ARITHMETIC = re.compile(r"[-+*/×÷=()., $€£¥%0-9]+=")
EXPLAINED = re.compile(r"\n|[.;!?](?=\s)|\s\(|,?\s(?:because|since|as)\b", re.IGNORECASE)
UNSURE = {"mention", "explanation", "unit", "equation"}  # a text of reasoning allows them as well
TRUTH = {
    **dict.fromkeys(("true", "yes", "1", "y"), True),
    **dict.fromkeys(("false", "no", "0", "n"), False),
}
NOTHING = {"", "[]", "none", "no answer", "unanswerable", "n/a", "not answerable"}
BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]+", re.MULTILINE)


K = TypeVar("K", str, bool)


@dataclass(frozen=True)
class Loose:
    """A value and what had to be repaired."""

    value: Value
    repairs: tuple[str, ...] = ()


def read_loosely(kind: FieldType, raw: object, inputs: Values) -> Loose:
    """Read what stands for an output; raises ValueError with the kind of fault and its detail."""
    if not isinstance(raw, str):
        return from_json(kind, raw, inputs)
    text, repairs = unwrapped(raw)
    found = read_text(kind, text, inputs)
    return Loose(found.value, tuple(dict.fromkeys(repairs + found.repairs)))


def read_text(kind: FieldType, text: str, inputs: Values) -> Loose:
    """Read an output's text; raises ValueError."""
    match kind:
        case Text():
            return Loose(typed(kind, text))
        case Spans(()):
            return read_extract(text, inputs)
        case Spans():
            return Loose(typed(kind, text))
        case TextList():
            return read_list(text)
        case Choice(()):
            return read_unknown(text)
        case Choice(labels):
            return explained(text, lambda part: read_known(part, {each: each for each in labels}))
        case Boolean():
            return explained(text, lambda part: read_known(part, TRUTH))
        case Integer() | Number():
            return explained(text, lambda part: read_figure(kind, part))


def typed(kind: FieldType, raw: object) -> Value:
    """A value of its type; raises ValueError with the kind of fault in front."""
    try:
        return read_value(kind, raw)
    except ValueError as error:
        raise ValueError(f"type: {error}") from error


def explained(text: str, read: Callable[[str], Loose]) -> Loose:
    """What is read from a text, or else from its first words if none of the rest says otherwise."""
    try:
        return read(text)
    except ValueError:
        first, *rest = [part for part in EXPLAINED.split(text) if part.strip()] or [text]
        if not rest:
            raise
        found = attempt(unwrapped(first)[0], read)
        others = [attempt(unwrapped(part)[0], read) for part in rest]
        if found is None or any(
            each and sure(each) and each.value != found.value for each in others
        ):
            raise
    return Loose(found.value, ("explanation", *found.repairs))


def attempt(text: str, read: Callable[[str], Loose]) -> Loose | None:
    """What is read from a text, if it can be read."""
    try:
        return read(text)
    except ValueError:
        return None


def sure(found: Loose) -> bool:
    """Whether a text is the value and nothing more."""
    return UNSURE.isdisjoint(found.repairs)


def from_json(kind: FieldType, raw: object, inputs: Values) -> Loose:
    """A JSON value as it is, or else as the text it would be written as."""
    match kind, raw:
        case (Spans(()), list()):
            return read_extract(" ".join(map(str, raw[:1])), inputs)
        case (Choice(), [str(label)]):
            return read_loosely(kind, label, inputs)
        case (Text(), _):
            return Loose(json.dumps(raw, ensure_ascii=False), ("type",))
    try:
        return Loose(typed(kind, raw))
    except ValueError:
        if isinstance(raw, list | dict):
            raise ValueError(f"type: {json.dumps(raw)[:60]} is no such value") from None
        found = read_loosely(kind, json.dumps(raw), inputs)
        return Loose(found.value, ("type", *found.repairs))


def unwrapped(text: str) -> tuple[str, tuple[str, ...]]:
    """A text without the fence, bold or quotes that are all around it."""
    text, repairs = text.strip(), list[str]()
    if fence := FENCE.fullmatch(text):
        text = fence[1].strip()
        repairs.append("fence")
    for mark in ("**", "__"):
        if text.count(mark) == 1 and text.endswith(mark):
            text = text.removesuffix(mark).rstrip()
            repairs.append("bold")
    for name, pairs in (("bold", BOLD), ("quotes", QUOTES)):
        for left, right in pairs.items():
            inner = text[len(left) : -len(right)]
            around = text.startswith(left) and text.endswith(right) and len(text) > len(left)
            if around and inner.strip() and left not in inner and right not in inner:
                text = inner.strip()
                repairs.append(name)
    return text, tuple(repairs)


def read_unknown(text: str) -> Loose:
    """A label that is not known beforehand: the first line."""
    line = text.partition("\n")[0].strip()
    return Loose(typed(Choice(()), line), ("explanation",) if line != text else ())


def read_known(text: str, labels: Mapping[str, K]) -> Loose:
    """What one of the labels means."""
    if not text:
        raise ValueError("empty: nothing stands for it")
    value, repair = read_label_loosely(text, labels)
    return Loose(value, (repair,) if repair else ())


def read_figure(kind: FieldType, text: str) -> Loose:
    """The only number of a text, or the one behind the last ``=`` of a calculation."""
    repairs = []
    if sum_ := ARITHMETIC.match(text):
        text = text[sum_.end() :]
        repairs.append("equation")
    written = {Decimal(figure(each)): each for each in numbers(text)}
    if len(written) != 1:
        fault = "two numbers" if written else "no number"
        raise ValueError(f"{fault}: it says {', '.join(list(written.values())[:3]) or text[:40]!r}")
    number, each = next(iter(written.items()))
    repairs += ["unit"] if each != text.strip() or re.search("[$€£¥]", each) else []
    repairs += ["thousands"] if re.search(r"[,\u00a0\u202f]", each) else []
    if kind == Number():
        return Loose(typed(kind, figure(each)), tuple(repairs))
    if number != number.to_integral_value() or number.adjusted() > 17:
        raise ValueError(f"no whole number of at most 18 digits: it says {each[:40]!r}")
    repairs += ["decimals"] if "." in each else []
    return Loose(typed(kind, f"{number:.0f}"), tuple(repairs))


def numbers(text: str) -> list[str]:
    """The numbers in a text as they are written there."""
    return [match.group() for match in NUMBER.finditer(text)]


def figure(text: str) -> str:
    """A number as it is written in code."""
    return re.sub(r"[^-+0-9.eE]", "", text.replace("−", "-"))


def read_list(text: str) -> Loose:
    """Texts as JSON, as bullets, or with commas or lines between them."""
    try:
        return Loose(typed(TextList(), text))
    except ValueError:
        if BULLET.search(text):
            parts = [part.strip() for part in BULLET.split(text)]
        else:
            parts = [part.strip() for part in re.split(r"\n" if "\n" in text else ",", text)]
        return Loose(typed(TextList(), [part for part in parts if part]), ("list",))


def read_extract(text: str, inputs: Values) -> Loose:
    """Words of an input as they stand there, or nothing; other words are kept and named."""
    if text.casefold().rstrip(".") in NOTHING:
        return Loose([])
    listed = attempt(text, lambda part: Loose(typed(TextList(), part)))
    if listed:
        return from_json(Spans(()), listed.value, inputs)
    sources = [plain(value) for value in inputs.values()]
    for repairs, tried in (((), text), (("punctuation",), text.rstrip(".,;:!").strip())):
        if tried and (not sources or any(tried in source for source in sources)):
            return Loose([tried], repairs)
        for source in sources if tried else ():
            if found := re.search(re.escape(tried), source, re.IGNORECASE):
                return Loose([found.group()], (*repairs, "case"))
    return Loose(typed(Spans(()), text), ("not in the inputs",))
