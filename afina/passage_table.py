"""What a person sees of a search at the terminal, and of an index's making; and as JSON."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from afina.retrieval.indexing import Indexed
    from afina.retrieval.passage import Passage

SHOWN = 300  # characters of a passage
LISTED = 5  # files that were left alone


def passage_table(passages: "Sequence[Passage]") -> RenderableType:
    """Passages that were found, the best first."""
    if not passages:
        return Text("no passage was found")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("score", no_wrap=True, justify="right")
    table.add_column("passage", overflow="fold")
    for each in passages:
        title, source = excerpt(each.title), excerpt(each.source)
        head = Text.assemble((title, "bold"), "  " if title else "", (source, "dim"))
        table.add_row(
            f"{each.score:.3f}", Text("\n").join([head, Text(excerpt(each.text)), Text()])
        )
    return table


def excerpt(text: str) -> str:
    """The beginning of a text on one line, without what cannot be printed.

    >>> excerpt("one\\ntwo \\x1b[2J")
    'one two [2J'
    """
    line = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def passage_json(passage: "Passage") -> dict[str, object]:
    """A passage as ``afina search --json`` prints it."""
    return {name: getattr(passage, name) for name in ("id", "title", "score", "text", "source")}


def index_json(done: "Indexed") -> Mapping[str, object]:
    """An index and what was written to it as ``afina index --json`` prints it."""
    making = done.index.making
    return {
        "index": str(done.index.folder),
        "passages": done.index.count(),
        **vars(done.changes),
        "skipped": list(done.skipped),
        "model": making.model,
        "language": making.language.lower(),
    }


def index_text(done: "Indexed") -> Text:
    """The same in words."""
    making, skipped = done.index.making, done.skipped
    counts = ", ".join(f"{count} {name}" for name, count in vars(done.changes).items())
    by = f"words and vectors of {making.model}" if making.model else "words alone"
    lines = [
        f"documents: {counts}",
        f"{done.index.folder} holds {done.index.count():,} passages, found by {by}",
    ]
    if skipped:
        more = f" and {len(skipped) - LISTED} more" if len(skipped) > LISTED else ""
        names = ", ".join(map(excerpt, skipped[:LISTED]))
        lines.append(f"left alone, as links or of other kinds: {names}{more}")
    return Text("\n".join(lines))


@contextmanager
def passages_written() -> Iterator[Callable[[int, int], None]]:
    """Shows how many passages were written, where standard error is a terminal."""
    columns = (TextColumn("passages {task.completed:.0f}/{task.total:.0f}"), BarColumn())
    hidden = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bar:
        line = bar.add_task("", total=1, visible=False)
        yield lambda done, total: bar.update(line, completed=done, total=total, visible=True)
