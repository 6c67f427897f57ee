"""Runs as tables for people, and the same facts as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.evaluation.measures import measures
from afina.evaluation.report import Report
from afina.evaluation.table import verdict_line
from afina.evaluation.without import RETRIEVAL, bought
from afina.store.run import Run

BARS = "▁▂▃▄▅▆▇█"


def row_json(run: Run, report: Report, bare: Report | None = None) -> dict[str, object]:
    """A run on one split as one row of a comparison; ``bare`` is the same without passages."""
    found = measures(report.rows)
    return {
        "method": run.method,
        "model": run.model,
        "seeds": 1,
        "seed": run.seed,
        "split": report.split,
        "metric": report.metric,
        "score": report.score,
        "low": report.low,
        "high": report.high,
        "n": report.n,
        "missing": report.missing,
        "seconds": run.seconds + report.seconds,
        "calls": run.usage.calls + report.usage.calls,
        "tokens": run.usage.tokens + report.usage.tokens,
        "cost": run.usage.cost + report.usage.cost,
        "latency_ms": {"p50": report.latency_p50_ms, "p95": report.latency_p95_ms},
        "parameters": run.parameters,
        "run": run.name,
        "test_openings": report.openings,
        **({"measures": {each.name: each.to_json() for each in found}} if found else {}),
        **({"without_retrieval": bare_json(report, bare)} if bare else {}),
    }


def bare_json(report: Report, bare: Report) -> dict[str, object]:
    """The score without passages, and what retrieval bought."""
    names = ("score", "low", "high", "n", "missing")
    return {
        **{name: getattr(bare, name) for name in names},
        "bought": bought(report, bare).to_json(),
    }


def score_text(run: Run, report: Report, bare: Report | None = None) -> Text:
    """One score in words, with its interval, its n and what it took; ``bare`` as in row_json."""
    lines = [
        f"{made_by(run)}: {report.metric} on {report.split} {interval_text(report)}",
        f"{run.parameters:,} trained parameters, {run.seconds + report.seconds:.1f} s, "
        f"{report.missing} missing, {latency_text(report)}",
        *missing_texts(report),
        *map(str, measures(report.rows)),
        *(bare_texts(report, bare) if bare else ()),
        f"run {run.name}; the sealed test has been opened {times(report.openings)}",
    ]
    return Text("\n".join(lines))


def missing_texts(report: Report) -> list[str]:
    """Why most answers are missing, and what to do where they are too many for a score."""
    given = (row.prediction for row in report.rows)
    reasons = Counter(each.reason for each in given if each.outputs is None)
    if not reasons:
        return []
    ((reason, count),) = reasons.most_common(1)
    said = f"missing: {count} of {report.n}, {reason}"
    again = "INCOMPLETE; run the same again to ask for what is missing"
    return [said] if report.complete else [said, again]


def bare_texts(report: Report, bare: Report) -> list[str]:
    """The score without passages, and what retrieval bought, a line each."""
    missing = f", {bare.missing} missing" if bare.missing else ""
    return [
        f"without retrieval: {bare.metric} {interval_text(bare)}{missing}",
        verdict_line(bought(report, bare)),
    ]


def made_by(run: Run) -> str:
    """Method, model and seed."""
    return f"{run.method}{f' on {run.model}' if run.model else ''}, seed {run.seed}"


def interval_text(report: Report) -> str:
    if report.score is None or report.low is None or report.high is None:
        return f"none: no answer came (n = {report.n})"
    return f"{report.score:.4f} [{report.low:.4f}, {report.high:.4f}], n = {report.n}"


def latency_text(report: Report) -> str:
    if report.latency_p50_ms is None or report.latency_p95_ms is None:
        return "latency not measured"
    return f"p50 {report.latency_p50_ms:.1f} ms, p95 {report.latency_p95_ms:.1f} ms a request"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def runs_table(runs: Sequence[Run]) -> RenderableType:
    """All runs, a line each; a name is never cut."""
    if not runs:
        return Text("no runs yet; make one with: afina tune TASK")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("run", overflow="fold", min_width=max(len(run.name) for run in runs))
    for head in ("task", "method", "model"):
        table.add_column(head, overflow="fold")
    for head in ("seed", "status", "seconds"):
        table.add_column(head, no_wrap=True)
    for run in runs:
        task = run.task.rstrip("/").rpartition("/")[2]
        seconds = f"{run.seconds:.1f}"
        table.add_row(run.name, task, run.method, run.model, str(run.seed), run.status, seconds)
    return table


def runs_json(runs: Sequence[Run]) -> list[dict[str, object]]:
    """All runs, without their reports."""
    return [run_facts(run) for run in runs]


def run_json(run: Run, facts: Mapping[str, Any]) -> dict[str, object]:
    """A run with what it remembers of its making, its reports and the openings of its test."""
    by_split = {report.split: report for report in facts["reports"]}
    reports = [
        row_json(run, report, by_split.get(split + RETRIEVAL)) for split, report in by_split.items()
    ]
    made = {name: value for name, value in facts.items() if name not in ("reports", "openings")}
    return {
        **run_facts(run),
        "reports": reports,
        "made": made,
        "test_openings": facts["openings"],
    }


def run_facts(run: Run) -> dict[str, object]:
    """A run as it stands in the store."""
    return {
        "run": run.name,
        "task": run.task,
        "method": run.method,
        "model": run.model,
        "seed": run.seed,
        "settings": dict(run.settings),
        "status": run.status,
        "seconds": run.seconds,
        "parameters": run.parameters,
    }


def run_table(run: Run, facts: Mapping[str, Any]) -> RenderableType:
    """A run in full."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("run", run.name)
    table.add_row("task", run.task)
    table.add_row("method", made_by(run))
    table.add_row("settings", ", ".join(f"{k}={v}" for k, v in run.settings.items()) or "defaults")
    table.add_row("status", f"{run.status} after {run.seconds:.1f} s")
    table.add_row("parameters", f"{run.parameters:,}")
    by_split = {report.split: report for report in facts["reports"]}
    for split, report in by_split.items():
        table.add_row(split, f"{report.metric} {interval_text(report)}")
        table.add_row("", f"{report.missing} missing, {latency_text(report)}")
        for each in measures(report.rows):
            table.add_row("", str(each))
        if bare := by_split.get(split + RETRIEVAL):
            table.add_row("", verdict_line(bought(report, bare)))
    for name, text in made_texts(facts):
        table.add_row(name, text)
    openings = f"the sealed test has been opened {times(facts['openings'])}"
    return Group(table, Text(openings))


def made_texts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a run remembers of its making, in words: curves as blocks, numbers as they are."""
    if losses := facts.get("losses"):
        yield "loss", f"{sparkline(losses)}  {losses[0]:.3f} → {losses[-1]:.3f}"
    if scores := facts.get("scores"):
        curve = [score for _, score in scores]
        yield "dev scores", f"{sparkline(curve)}  best at step {facts['best_step']}"
    for name, value in facts.items():
        if isinstance(value, int | float | str) and name not in ("openings", "best_step"):
            yield name.replace("_", " "), str(value)


def sparkline(numbers: Sequence[float], width: int = 40) -> str:
    """A curve in one line of blocks, from lowest to highest.

    >>> sparkline([0, 1, 2, 3])
    '▁▃▅█'
    """
    step = max(len(numbers) / width, 1.0)
    picked = [numbers[int(at * step)] for at in range(min(len(numbers), width))]
    low, high = min(picked), max(picked)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[int((number - low) * scale)] for number in picked)
