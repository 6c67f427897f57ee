"""Plain Markdown: a heading a turn, and its template below.

``# system``, ``# user`` and ``# assistant`` begin a turn. What stands below is the template without
the empty lines around it; a turn that is one fenced block is what the fence holds, to the byte.
"""

import re
from collections.abc import Sequence

from afina.errors import InputError
from afina.hard.fence import fence_for
from afina.hard.interchange.transcript import Line, Transcript
from afina.hard.template import Template
from afina.lm.request import Role

HEADINGS: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
FENCE = re.compile(r"(`{3,})[^`]*")


def read_markdown(text: str, place: str) -> Transcript:
    """The turns of a file.

    Raises:
        InputError: with the line of what is no turn, or no template.
    """
    rows = unix(text).split("\n")
    found = list[Line]()
    at = next((at for at, row in enumerate(rows) if row.strip()), len(rows))
    while at < len(rows):
        role = heading(rows[at])
        if role is None:
            raise InputError(
                f"{place}:{at + 1}: expected a heading out of # {', # '.join(HEADINGS)}, came "
                f"{rows[at][:80]!r}"
            )
        end = end_of(rows, at + 1, place)
        try:
            template = Template(content(rows[at + 1 : end]))
        except InputError as error:
            raise InputError(f"{place}:{at + 1}: below this heading, {error}") from error
        found.append(Line(role, template, f"{place}:{at + 1}"))
        at = end
    return Transcript(tuple(found))


def unix(text: str) -> str:
    """A text whose lines end as its first one should."""
    return text.replace("\r\n", "\n") if text.partition("\n")[0].endswith("\r") else text


def heading(row: str) -> Role | None:
    """The role that a line begins a turn of."""
    mark, _, name = row.partition(" ")
    return HEADINGS.get(name.strip().lower()) if mark == "#" else None


def end_of(rows: Sequence[str], start: int, place: str) -> int:
    """Where the next turn begins; a heading inside a fence begins none."""
    fence, opened = "", 0
    for at in range(start, len(rows)):
        mark = FENCE.fullmatch(rows[at])
        if fence:
            fence = "" if rows[at] == fence else fence
        elif mark:
            fence, opened = mark[1], at
        elif heading(rows[at]):
            return at
    if fence:
        raise InputError(f"{place}:{opened + 1}: this fence is never closed; write {fence} below")
    return len(rows)


def content(rows: Sequence[str]) -> str:
    """What a turn says."""
    full = [at for at, row in enumerate(rows) if row.strip()]
    if not full:
        return ""
    inner = rows[full[0] : full[-1] + 1]
    mark = FENCE.fullmatch(inner[0])
    if mark and mark[1] not in inner[1:-1] and inner[-1] == mark[1] and len(inner) > 1:
        return "\n".join(inner[1:-1])
    return "\n".join(inner)


def write_markdown(transcript: Transcript) -> str:
    """The turns, each between backticks that nothing in it closes."""
    turns = []
    for line in transcript.lines:
        text = line.template.text
        fence = fence_for([text])
        turns.append(f"# {line.role}\n\n{fence}\n{text}\n{fence}\n")
    return "\n".join(turns)
