"""What a person sees of a journal at the terminal: what was spent, on what; and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, astuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.lm.account import Line

HEADS = ("run", "model", "calls", "failed", "lost", "replays", "read", "written", "dollars", "kept")


def journal_table(lines: Sequence[Line]) -> RenderableType:
    """A line a run and model, and the sum."""
    if not lines:
        return Text("no call is kept")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number < 2 else "right", overflow="fold")
    for line in lines:
        model = f"{line.model} at {line.endpoint}" if line.endpoint else line.model
        table.add_row(Text(line.run or "-"), Text(model), *cells(line))
    if len(lines) > 1:
        table.add_section()
        table.add_row("all", "", *cells(total(lines)))
    return Group(table, *notes(total(lines)))


def cells(line: Line) -> tuple[str, ...]:
    """The numbers of a line."""
    counts = (line.calls, line.failed, line.lost, line.replays, line.read, line.written)
    unsure = "+ ?" if line.unpriced else ""
    return (*map(str, counts), f"{line.cost:.4f}{unsure}", str(line.kept))


def notes(all_: Line) -> list[Text]:
    """What is to be said of some of the numbers."""
    said = [
        (all_.unpriced, "without a known price (+ ?)"),
        (all_.lost, "lost: they were broken off, and count as the most that they can have taken"),
        (all_.under_way, "under way: they count as the most that they can take"),
    ]
    return [Text(f"calls {text}: {count}") for count, text in said if count]


def total(lines: Sequence[Line]) -> Line:
    """The sum of all lines."""
    return Line("", "", "", *map(sum, zip(*(astuple(line)[3:] for line in lines), strict=True)))


def journal_json(lines: Sequence[Line]) -> dict[str, object]:
    """All numbers of all lines, and their sum."""
    names = ("run", "model", "endpoint")
    whole = {name: value for name, value in asdict(total(lines)).items() if name not in names}
    return {"rows": [asdict(line) for line in lines], "total": whole}
