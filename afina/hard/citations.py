"""Citations: the numbers of passages that a reply names in brackets, such as [1] or [2, 3]."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from afina.task.signature import Choice, Signature, Spans, TextList

MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
IN_JSON = (":", ",", "[")  # what stands before a list in JSON


@dataclass(frozen=True)
class Cited:
    """A reply without its citations; ``shown`` were there to be cited, ``unknown`` were not."""

    text: str
    shown: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


def read_citations(reply: str, count: int) -> Cited:
    """Read off what a reply cites of ``count`` passages.

    In a reply with braces a list that is a value of JSON is counted, and stays.

    >>> read_citations("In 1835 [2], or so it says [9].", 5)
    Cited(text='In 1835, or so it says.', shown=(2,), unknown=(9,))
    >>> read_citations('{"year": 1835, "cited": [2]}', 5).text
    '{"year": 1835, "cited": [2]}'
    """
    numbers: list[int] = []

    def taken(mark: re.Match[str]) -> str:
        numbers.extend(int(each) for each in re.findall(r"\d+", mark[1]))
        before = reply[: mark.start()].rstrip()
        return mark[0] if "{" in reply and before.endswith(IN_JSON) else ""

    text = MARK.sub(taken, reply).strip()
    found = sorted(set(numbers))
    return Cited(text, *parted(found, count))


def parted(numbers: Sequence[int], count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Numbers that passages have, and those that none has."""
    shown = tuple(each for each in numbers if 1 <= each <= count)
    return shown, tuple(each for each in numbers if each not in shown)


def citing(signature: Signature) -> bool:
    """Whether an answer can cite: it is written, and has no brackets of its own.

    >>> citing(Signature.parse("question -> answer"))
    True
    >>> citing(Signature.parse("question -> kind: who | when"))
    False
    """
    kinds = [field.type for field in signature.outputs]
    if any(kind == TextList() or (isinstance(kind, Spans) and kind.labels) for kind in kinds):
        return False
    return not (len(kinds) == 1 and isinstance(kinds[0], Choice))
