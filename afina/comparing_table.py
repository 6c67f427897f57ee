"""What a comparison shows at the terminal: while it runs, and when it is done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.comparing import Compared, Show, Standing
from afina.console import watching
from afina.evaluation.advice import advise
from afina.evaluation.report import Report
from afina.evaluation.table import NOTHING, comparison_table, decimal
from afina.formats import Spread
from afina.training.watch import Watch

SIGNS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✗"}


class LiveTable:
    """The contenders and how far each has come; drawn anew whenever it is asked for."""

    def __init__(self) -> None:
        self.standings: Sequence[Standing] = ()

    def show(self, standings: Sequence[Standing]) -> None:
        """Take over how far the contenders are."""
        self.standings = tuple(standings)

    def __rich__(self) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for head in ("", "method", "model", "examples", "seeds", "score", "why not"):
            table.add_column(head, overflow="fold")
        for standing in self.standings:
            table.add_row(*cells(standing))
        return table


def cells(standing: Standing) -> list[str]:
    """A contender's line."""
    contender, entry = standing.contender, standing.entry
    return [
        SIGNS[standing.state],
        contender.method,
        contender.model,
        str(contender.size or "all"),
        str(len(contender.orders)),
        mean_score(entry.reports) if entry and entry.reports else NOTHING,
        entry.error if entry else "",
    ]


def mean_score(reports: Sequence[Report]) -> str:
    """The mean over seeds."""
    scores = [report.score for report in reports if report.score is not None]
    return decimal(sum(scores) / len(scores)) if scores else NOTHING


@contextmanager
def comparing_live(again: Callable[[], str]) -> Iterator[tuple[Watch, Show]]:
    """Shows contenders and training where standard error is a terminal; stops at a signal."""
    table = LiveTable()
    with watching(again, above=table) as watch:
        yield watch, table.show


def compared_text(found: Compared, spread: Mapping[str, Spread] = {}) -> RenderableType:
    """The table, the verdicts, what was left out and why, and what we would do."""
    return Group(
        comparison_table(found.comparison),
        *(Text(f"{run}: {each}") for run, each in spread.items()),
        *(Text(f"left out: {each}", style="dim") for each in found.unfit),
        *(Text(line) for line in advise(found.comparison)),
        Text(f"kept as {found.name}"),
    )


def compared_json(found: Compared, spread: Mapping[str, Spread] = {}) -> dict[str, object]:
    """What ``afina compare --json`` prints."""
    return {
        **found.comparison.to_json(),
        "name": found.name,
        "advice": list(advise(found.comparison)),
        "unfit": [vars(each) for each in found.unfit],
        "format_spread": {run: each.to_json() for run, each in spread.items()},
    }
