"""The table of a comparison, for a terminal of 80 columns or more."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.evaluation.compare import Comparison, Verdict
from afina.evaluation.comparison_row import ComparisonRow

NOTHING = "–"
TOLD = 10  # verdicts, of five methods; of more methods those on the best are told


def comparison_table(comparison: Comparison) -> RenderableType:
    """Two lines a method, what failed, the verdicts, how often the sealed test was opened."""
    head = f"{comparison.task} · {comparison.metric} on {comparison.split} · 95 % intervals"
    told = told_verdicts(comparison)
    more = len(comparison.verdicts) - len(told)
    times = "once" if comparison.openings == 1 else f"{comparison.openings} times"
    return Group(
        Text(head, style="bold"),
        rows_table(comparison),
        *(Text(line, style="red") for line in failures(comparison)),
        *(Text(verdict_line(found)) for found in told),
        *([Text(f"and {more} verdicts on other pairs: --report, --json")] if more else []),
        Text(f"the sealed test has been opened {times}"),
    )


def told_verdicts(comparison: Comparison) -> Sequence[Verdict]:
    """All verdicts; where they are many, those on the best method."""
    verdicts = comparison.verdicts
    if len(verdicts) <= TOLD:
        return verdicts
    scored = [row for row in comparison.rows if row.score is not None]
    best = max(scored, key=lambda row: row.score or 0.0).label
    return [each for each in verdicts if best in (each.a, each.b)]


def rows_table(comparison: Comparison) -> Table:
    """The rows; seconds, tokens and dollars are tuning and evaluation of all seeds."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method\nmodel", overflow="fold")
    for head in ("score\ninterval", "n\nmissing", "seeds\n±", "seconds\nms p50/95"):
        table.add_column(head, justify="right", no_wrap=True)
    for head in ("tokens\ncost $", "params\ncalls"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in comparison.rows:
        table.add_row(*cells(row))
    return table


def cells(row: ComparisonRow) -> list[str | Text]:
    """A row's cells, two lines each."""
    latency = f"{short(row.latency_p50_ms)}/{short(row.latency_p95_ms)}"
    bounds = f"{decimal(row.low)}–{decimal(row.high)}" if row.low is not None else NOTHING
    return [
        name(row),
        f"{decimal(row.score)}\n{bounds}",
        f"{row.n}\n{row.missing}",
        f"{len(row.seeds)}\n{decimal(row.seed_deviation)}",
        f"{short(row.seconds)}\n{latency}",
        f"{short(row.usage.tokens)}\n{short(row.usage.cost)}",
        f"{short(row.parameters)}\n{short(row.usage.calls)}",
    ]


def name(row: ComparisonRow) -> Text:
    """Method, with its run where that tells it apart, over model; and whether it went wrong."""
    text = Text(row.label.removesuffix(f" on {row.model}") + f"\n{row.model}")
    if row.error:
        text.append("\nFAILED", style="red")
    elif not row.complete:
        text.append("\nINCOMPLETE", style="red")
    return text


def failures(comparison: Comparison) -> list[str]:
    """Why rows failed, a line each under the table."""
    return [f"{row.label} FAILED: {row.error}" for row in comparison.rows if row.error]


def verdict_line(found: Verdict) -> str:
    """A verdict in words, with names in the place of A and B; a winner's difference is over 0."""
    match found.verdict:
        case "A better":
            words = f"{found.a} is better than {found.b}"
        case "B better":
            words = f"{found.b} is better than {found.a}"
        case other:
            words = f"{found.a} or {found.b}: {other}"
    if found.difference is None or found.low is None or found.high is None or found.p is None:
        return words
    numbers = [found.difference, found.low, found.high]
    if found.verdict == "B better":
        numbers = [-found.difference, -found.high, -found.low]
    return "{} ({:+.3f}, {:+.3f} to {:+.3f}, p {:.2g})".format(words, *numbers, found.p)


def decimal(number: float | None) -> str:
    """A score with three decimals, or with one where it goes to 100.

    >>> decimal(0.51234), decimal(34.51), decimal(None)
    ('0.512', '34.5', '–')
    """
    if number is None:
        return NOTHING
    return f"{number:.1f}" if abs(number) > 1 else f"{number:.3f}"


def short(number: float | None) -> str:
    """A number in at most six characters.

    >>> short(0), short(0.0004), short(12.34), short(999.96), short(23_456), short(67_000_000)
    ('0', '0.0004', '12.3', '1.0k', '23.5k', '67.0M')
    """
    if number is None:
        return NOTHING
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit * 0.99995:
            return f"{number / unit:.1f}{letter}"
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
