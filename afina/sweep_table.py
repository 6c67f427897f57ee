"""Runs that trained side by side, a line each, for a terminal."""

from collections.abc import Sequence
from statistics import mean

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.run_table import interval_text
from afina.sweep import Swept


def sweep_table(found: Sequence[Swept]) -> RenderableType:
    """Learning rate, seed, score on dev with its interval; then the mean of each rate."""
    first = found[0].run
    head = Text(f"{first.task} · {first.method} on {first.model} · side by side", style="bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("rate", "seed", "score on dev [95 %]", "run"):
        table.add_column(name, no_wrap=True, justify="right" if name == "seed" else "left")
    for each in found:
        score = interval_text(each.report) if each.report else Text(each.error, style="red")
        table.add_row(rate_of(each), str(each.run.seed), score, each.run.name)
    return Group(head, table, *(Text(line) for line in means(found)))


def rate_of(swept: Swept) -> str:
    """The learning rate asked for, or a word for the method's own."""
    rate = swept.run.settings.get("rate")
    return "its own" if rate is None else f"{rate:g}"


def means(found: Sequence[Swept]) -> list[str]:
    """A line a learning rate: its mean over the seeds, and the spread."""
    lines = []
    for rate in dict.fromkeys(map(rate_of, found)):
        scores = [
            each.report.score
            for each in found
            if rate_of(each) == rate and each.report and each.report.score is not None
        ]
        if scores:
            lines.append(
                f"rate {rate}: mean {mean(scores):.4f} of {len(scores)} seeds, "
                f"from {min(scores):.4f} to {max(scores):.4f}"
            )
    return lines
