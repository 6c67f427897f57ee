"""Citations are read off a reply; what was not shown is told, and brackets of JSON stay."""

import pytest

from afina.hard.citations import Cited, citing, read_citations
from afina.task.signature import Signature


@pytest.mark.parametrize(
    ("reply", "text", "shown", "unknown"),
    [
        ("1835 [1]", "1835", (1,), ()),
        ("1835[1].", "1835.", (1,), ()),
        ("[2] 1835", "1835", (2,), ()),
        ("A [3][1], b [1, 2].", "A, b.", (1, 2, 3), ()),
        ("A [1; 9]. B [0].", "A. B.", (1,), (0, 9)),
        ("answer: 1835 [1]\nreason: so [2]", "answer: 1835\nreason: so", (1, 2), ()),
        ("answer: [1]", "answer:", (1,), ()),
        ("In [1835] or [x] or [].", "In [1835] or [x] or [].", (), ()),
        ('{"a": "1835 [1]", "cited": [1, 7]}', '{"a": "1835", "cited": [1, 7]}', (1,), (7,)),
        ("", "", (), ()),
    ],
)
def test_marks_are_taken_off_and_counted(
    reply: str, text: str, shown: tuple[int, ...], unknown: tuple[int, ...]
) -> None:
    assert read_citations(reply, 3) == Cited(text, shown, unknown)


@pytest.mark.parametrize(
    ("signature", "can"),
    [
        ("question -> answer", True),
        ("question -> answer: int", True),
        ("context, question -> answer: spans", True),
        ("question -> reasoning, kind: who | when", True),
        ("question -> kind: who | when", False),
        ("question -> names: list[str]", False),
        ("tokens: list[str] -> tags: spans[PER | LOC]", False),
    ],
)
def test_an_answer_cites_unless_it_is_a_label_or_has_brackets_itself(
    signature: str, can: bool
) -> None:
    assert citing(Signature.parse(signature)) == can
