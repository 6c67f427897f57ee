"""A plan at the terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.evaluation.table import NOTHING, short
from afina.plan import Cost, Plan, Settles


def plan_text(found: Plan) -> RenderableType:
    """What can be settled, what each route takes, what is left out, where to begin."""
    return Group(
        Text(f"{found.task}: train {found.train}, dev {found.settles.n}, test {found.test}"),
        *(Text(line) for line in settled(found.settles)),
        costs_table(found),
        *(Text(f"left out: {each}", style="dim") for each in found.unfit),
        *(
            Text(f"begin with {', '.join(each.methods)}: {each.reason} ({each.source})")
            for each in found.favoured
        ),
        Text("all costs are estimates; a comparison tells"),
    )


def settled(found: Settles) -> list[str]:
    """What dev can settle, in words."""
    how = "measured on kept runs" if found.measured else "assumed: one example in five differs"
    needed = ", ".join(
        f"{100 * difference:g} points {count:,}" for difference, count in found.needed.items()
    )
    return [
        f"dev shows a difference of {100 * found.shown:.1f} points or more, four times in five "
        f"({how})",
        f"examples needed to show: {needed}",
    ]


def costs_table(found: Plan) -> Table:
    """A line a route."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in ("method", "model"):
        table.add_column(head, overflow="fold")
    for head in ("seeds", "calls", "tokens", "seconds"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    for cost in found.costs:
        table.add_row(*cells(cost))
    return table


def cells(cost: Cost) -> list[str]:
    """A route's line."""
    amounts = [NOTHING if each is None else short(each) for each in (cost.calls, cost.tokens)]
    seconds = NOTHING if cost.seconds is None else f"≈ {short(cost.seconds)}"
    return [cost.method, cost.model, str(cost.seeds), *amounts, seconds, cost.basis]
