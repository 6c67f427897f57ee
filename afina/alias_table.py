"""Aliases as a table, or as JSON."""

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from afina.store.aliases import Place


def alias_table(places: Sequence[Place]) -> RenderableType:
    """Where aliases stand, or where one stood, a line each."""
    if not places:
        return Text("no aliases yet; make one with: afina alias NAME RUN")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in ("alias", "run", "moved there", "left"):
        table.add_column(head, no_wrap=True)
    for place in places:
        left = "" if place.left is None else f"{place.left:%Y-%m-%d %H:%M:%S}"
        table.add_row(place.alias, place.run, f"{place.moved:%Y-%m-%d %H:%M:%S}", left)
    return table


def alias_json(places: Sequence[Place]) -> list[dict[str, object]]:
    """The same for machines; ``left`` is null where it was not moved back."""
    return [
        {
            "alias": place.alias,
            "run": place.run,
            "moved": place.moved.isoformat(),
            "left": None if place.left is None else place.left.isoformat(),
        }
        for place in places
    ]
