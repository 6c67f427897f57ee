"""Where a reply holds its outputs: as JSON, behind their names, in a sentence, or bare.

What is found is raw: a text or a JSON value an output, several where it stands several times.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from afina.task.signature import Signature, Text

END_MARKS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
)
TRIES = 50  # braces where a JSON object may begin
MARK = "[*_`\"']"


@dataclass(frozen=True)
class Found:
    """Raw values by output, and what had to be done to find them."""

    raw: dict[str, list[object]] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    bare: bool = False  # the text is an answer without its name


def find(text: str, signature: Signature) -> Found:
    """The raw values in a reply; raises ValueError where it holds no answer at all."""
    text, repairs = stripped(text)
    if not text:
        raise ValueError("empty: the reply says nothing")
    for way in (in_json, in_broken_json, in_sections, in_sentence):
        found = way(text, signature)
        if found.raw:
            return Found(found.raw, repairs + found.repairs, found.bare)
    head, cut = before_next_row(text, signature)
    if not head:
        raise ValueError("empty: the reply repeats the row and says nothing more")
    return Found({signature.target.name: [head]}, repairs + cut, bare=True)


def stripped(text: str) -> tuple[str, tuple[str, ...]]:
    """A reply without a model's thinking in front and marks of its end behind."""
    repairs = []
    text = text.strip()
    if "</think>" in text:
        text = text.rpartition("</think>")[2].strip()
        repairs.append("thinking")
    elif text.startswith("<think>"):
        raise ValueError("unfinished thinking: the reply ends before </think>")
    while mark := next((each for each in END_MARKS if text.endswith(each)), ""):
        text = text.removesuffix(mark).rstrip()
        repairs.append("end mark")
    return text, tuple(dict.fromkeys(repairs))


def in_json(text: str, signature: Signature) -> Found:
    """Objects that have an output's name as a key; raises ValueError where all of them are null."""
    names = {key_of(each.name): each.name for each in signature.outputs}
    raw: dict[str, list[object]] = {}
    around, start = "", 0
    for found, first, end in objects(text, set(names)):
        around += text[start:first]
        start = end
        for key, value in found.items():
            if key_of(key) in names and value is not None:
                raw.setdefault(names[key_of(key)], []).append(value)
    if start and not raw:
        raise ValueError("empty: the outputs are null")
    around += text[start:]
    fenced = re.fullmatch(r"\s*```\w*\s*```\s*", around)
    repairs = ["JSON", *(["fence"] if fenced else ["text around JSON"] if around.strip() else [])]
    return Found(raw, tuple(repairs))


def objects(text: str, keys: set[str]) -> Iterator[tuple[dict[str, object], int, int]]:
    """JSON objects with one of the keys, and their places; also those inside one without it."""
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=once)
    start = text.find("{")
    for _ in range(TRIES):
        if start < 0:
            return
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            found, end = {}, start + 1
        if keys.isdisjoint(map(key_of, found)):
            end = start + 1
        else:
            yield found, start, end
        start = text.find("{", end)


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; raises ValueError where a key stands twice with different values."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise ValueError(f"the key {key!r} stands twice")
    return found


def key_of(name: str) -> str:
    """A name as names are compared."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def in_broken_json(text: str, signature: Signature) -> Found:
    """Quoted names with their values where the object itself is cut off or badly written."""
    if "{" not in text:
        return Found()
    pattern = re.compile(
        rf"""["']({names_of(signature)})["']\s*:\s*"""
        r"""("(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)|\[[^\[\]]*\]|[^\s,{}\[\]"'][^,\n}]*)""",
        re.IGNORECASE | re.DOTALL,
    )
    names = {key_of(each.name): each.name for each in signature.outputs}
    raw: dict[str, list[object]] = {}
    for found in pattern.finditer(text):
        value = unquoted(found[2].strip())
        if value is not None:
            raw.setdefault(names[key_of(found[1])], []).append(value)
    return Found(raw, ("broken JSON",))


def unquoted(text: str) -> object:
    """A JSON value, or the text between its quotes."""
    try:
        return json.JSONDecoder(strict=False).decode(text)
    except (ValueError, RecursionError):
        quote = text[:1] if text[:1] in "\"'" else ""
        return text.removeprefix(quote).removesuffix(quote) if quote else text


def names_of(signature: Signature) -> str:
    """A pattern for the outputs' names, the longest first, with spaces or hyphens for ``_``."""
    names = sorted((each.name for each in signature.outputs), key=len, reverse=True)
    return "|".join(re.escape(name).replace("_", "[_ -]") for name in names)


def in_sections(text: str, signature: Signature) -> Found:
    """Outputs behind their names: ``name: x``, bold, headings, tags, ``[[ ## name ## ]]``."""
    names = {key_of(each.name): each.name for each in signature.outputs}
    first, raw, repairs = signature.outputs[0], dict[str, list[object]](), list[str]()
    marks = list(section_marks(signature).finditer(text))
    head = text[: marks[0].start()].strip() if marks else ""
    for place, mark in enumerate(marks):
        kind = str(mark.lastgroup)
        if kind == "row" and (raw or head):
            repairs.append("next row")
            break
        name = names.get(key_of(mark[kind])) if kind in ("asked", "title", "tag", "line") else None
        if name is None:
            repairs += ["stray mark"] if kind == "asked" else []
            continue
        end = marks[place + 1].start() if place + 1 < len(marks) else len(text)
        raw.setdefault(name, []).append(text[mark.end() : end].strip())
        plain = kind == "line" and len(names) > 1 and mark.group().strip() == f"{name}:"
        repairs += [] if plain else ["field mark"]
    if raw and head:
        if len(names) > 1 and first.name not in raw:
            raw[first.name] = [head]
            repairs.append("first field without its name")
        else:
            repairs.append("text before")
    if not raw and head and repairs:  # a bare answer with a stray mark behind it
        return Found({signature.target.name: [head]}, tuple(dict.fromkeys(repairs)), bare=True)
    return Found(raw, tuple(dict.fromkeys(repairs)))


def section_marks(signature: Signature) -> re.Pattern[str]:
    """What a section begins with; ``row`` is the first input, where the next row begins."""
    names, row = names_of(signature), re.escape(signature.inputs[0].name)
    before = r"^[ \t]*(?:[-*•>][ \t]+|\d{1,2}[.)][ \t]+)?(?:#{1,6}[ \t]*)?"
    return re.compile(
        r"\[\[[ \t]*\#\#[ \t]*(?P<asked>\w+)[ \t]*\#\#[ \t]*\]\]"
        rf"|^[ \t]*\#{{1,6}}[ \t]*{MARK}{{0,3}}(?P<title>{names}){MARK}{{0,3}}[ \t]*$"
        rf"|<(?P<tag>{names})>|</(?P<close>{names})>"
        rf"|{before}(?P<mark>{MARK}{{1,3}})?(?:(?:the|final|correct|predicted)[ \t]+){{0,2}}"
        rf"(?P<line>{names}){MARK}{{0,3}}[ \t]*[:：](?(mark){MARK}{{0,3}})"
        rf"|(?-i:^(?P<row>{row}):)",
        re.IGNORECASE | re.MULTILINE,
    )


def in_sentence(text: str, signature: Signature) -> Found:
    r"""The target in words, ``the answer is x``, in ``\boxed{x}``, or behind ``####``."""
    target, first = signature.target, signature.outputs[0]
    name = re.escape(target.name).replace("_", "[_ -]")
    names = name if target.type == Text() else f"{name}|answer"
    pattern = re.compile(
        rf"\b(?:{names})[ \t]+(?:is|are|would[ \t]+be)\b[ \t]*[:：]?[ \t]*(?P<said>\S[^\n]*)"
        r"|\\boxed\{(?P<boxed>[^{}\n]*)\}|^\#\#\#\#[ \t]*(?P<last>\S[^\n]*)",
        re.IGNORECASE | re.MULTILINE,
    )
    head, cut = before_next_row(text, signature)
    marks = list(pattern.finditer(head))
    if not marks:
        return Found()
    said: list[object] = [mark[str(mark.lastgroup)].strip().removesuffix(".") for mark in marks]
    raw = {target.name: said}
    end = max(head.rfind(sign, 0, marks[-1].start()) for sign in ".!?\n") + 1
    if first != target and (before := head[:end].strip()):
        raw[first.name] = [before]
    return Found(raw, ("sentence", *cut))


def before_next_row(text: str, signature: Signature) -> tuple[str, tuple[str, ...]]:
    """The text up to where a model that only goes on begins another row."""
    found = re.search(rf"^{re.escape(signature.inputs[0].name)}:", text, re.MULTILINE)
    return (text[: found.start()].strip(), ("next row",)) if found else (text, ())
