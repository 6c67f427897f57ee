"""What a person sees at the terminal: tables, lines and progress; and the same facts as JSON."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from afina.errors import AfinaError, Interrupted
from afina.evaluation.report import Report
from afina.solver import Prediction, Values
from afina.store.run import Run
from afina.task.check import TaskCheck
from afina.training.watch import Progress as Step
from afina.training.watch import Watch

BARS = "▁▂▃▄▅▆▇█"
LISTED = 20  # rejected rows and leaks that are listed one by one


@contextmanager
def watching(again: str) -> Iterator[Watch]:
    """Shows progress on a terminal's standard error, and turns the first signal into a stop.

    ``again`` is the command that goes on afterwards. A second signal ends the process at once.
    """
    console = Console(stderr=True)
    stopping: list[int] = []

    def note_signal(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)
        signal.signal(number, signal.SIG_DFL)

    def stop() -> AfinaError | None:
        if not stopping:
            return None
        return Interrupted(
            f"stopped; the state is kept, go on with: {again}", signal_number=stopping[0]
        )

    before = {
        number: signal.signal(number, note_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    columns = (
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  best on dev {task.fields[best]:.4f}"),
        TextColumn("{task.fields[left]} left"),
    )
    try:
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            line = bar.add_task("", total=1, loss=0.0, best=0.0, left="?")

            def show(step: Step) -> None:
                left = f"{step.seconds_left:.0f} s"
                bar.update(
                    line,
                    completed=step.step,
                    total=step.steps,
                    loss=step.loss,
                    best=step.best,
                    left=left,
                )

            yield Watch(show=show, stop=stop, note=lambda text: console.print(text, markup=False))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prediction_json(inputs: Values, prediction: Prediction) -> dict[str, object]:
    """A prediction as ``afina predict`` prints it."""
    return {
        "inputs": dict(inputs),
        "outputs": None if prediction.outputs is None else dict(prediction.outputs),
        "evidence": dict(prediction.evidence),
        "tokens": prediction.usage.tokens,
        "seconds": round(prediction.seconds, 6),
        "cost": prediction.usage.cost,
    }


def row_json(run: Run, report: Report) -> dict[str, object]:
    """A run on one split as one row of a comparison."""
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
    }


def score_text(run: Run, report: Report) -> Text:
    """One score in words, with its interval, its n and what it took."""
    lines = [
        f"{run.method} on {run.model}, seed {run.seed}: {report.metric} on {report.split} "
        f"{interval_text(report)}",
        f"{run.parameters:,} trained parameters, {run.seconds + report.seconds:.1f} s, "
        f"{report.missing} missing, {latency_text(report)}",
        f"run {run.name}; the sealed test has been opened {times(report.openings)}",
    ]
    return Text("\n".join(lines))


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
    """All runs, a line each."""
    if not runs:
        return Text("no runs yet; make one with: afina tune TASK")
    table = Table("run", "task", "method", "model", "seed", "status", "seconds")
    for run in runs:
        table.add_row(
            run.name,
            run.task.rstrip("/").rpartition("/")[2],
            run.method,
            run.model,
            str(run.seed),
            run.status,
            f"{run.seconds:.1f}",
        )
    return table


def run_json(run: Run, facts: Mapping[str, Any]) -> dict[str, object]:
    """A run with what it remembers of its making; ``facts`` may hold reports."""
    reports = [row_json(run, report) for report in facts.get("reports", ())]
    made = {name: value for name, value in facts.items() if name != "reports"}
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
        "reports": reports,
        "made": made,
    }


def run_table(run: Run, facts: Mapping[str, Any]) -> RenderableType:
    """A run in full."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("run", run.name)
    table.add_row("task", run.task)
    table.add_row("method", f"{run.method} on {run.model}, seed {run.seed}")
    table.add_row("settings", ", ".join(f"{k}={v}" for k, v in run.settings.items()) or "defaults")
    table.add_row("status", f"{run.status} after {run.seconds:.1f} s")
    table.add_row("parameters", f"{run.parameters:,}")
    for report in facts.get("reports", ()):
        table.add_row(report.split, f"{report.metric} {interval_text(report)}")
        table.add_row("", f"{report.missing} missing, {latency_text(report)}")
    if losses := facts.get("losses"):
        table.add_row("loss", f"{sparkline(losses)}  {losses[0]:.3f} → {losses[-1]:.3f}")
    if scores := facts.get("scores"):
        curve = [score for _, score in scores]
        table.add_row("dev", f"{sparkline(curve)}  best at step {facts['best_step']}")
    openings = max((report.openings for report in facts.get("reports", ())), default=0)
    return Group(table, Text(f"the sealed test has been opened {times(openings)}"))


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


def task_text(found: TaskCheck) -> RenderableType:
    """What ``afina check`` says of a task."""
    lines = [f"{found.name}: {_short(str(found.signature))}, scored by {found.metric}"]
    for split, rows in found.rows.items():
        dropped = found.dropped.get(split, 0)
        note = f", {dropped} dropped because they leaked" if dropped else ""
        lines.append(f"  {split}: {rows} rows{note}{_labels(found.labels.get(split, {}))}")
    lines += [f"  rejected {rejection}" for rejection in found.rejected[:LISTED]]
    lines += _more(len(found.rejected), "rejected")
    lines += [f"  leak {leak}" for leak in found.leaks[:LISTED]] if not found.dropped else []
    lines += _more(len(found.leaks), "leaks") if not found.dropped else []
    lines += [f"  fault {fault}" for fault in found.faults]
    lines += [f"  warning {warning}" for warning in found.warnings]
    lines.append("ready" if found.usable else "not ready: mend what is listed above")
    return Text("\n".join(lines))


def task_json(found: TaskCheck) -> dict[str, object]:
    """What ``afina check --json`` prints."""
    return {
        "task": found.name,
        "signature": str(found.signature),
        "metric": found.metric,
        "rows": dict(found.rows),
        "labels": {split: dict(counts) for split, counts in found.labels.items()},
        "dropped": dict(found.dropped),
        "rejected": [str(each) for each in found.rejected],
        "leaks": [str(each) for each in found.leaks],
        "faults": list(found.faults),
        "warnings": list(found.warnings),
        "usable": found.usable,
    }


def _labels(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    if len(counts) > 8:
        return f"; {len(counts)} labels, {min(counts.values())} to {max(counts.values())} rows each"
    return "; " + ", ".join(f"{label} {count}" for label, count in counts.items())


def _more(count: int, noun: str) -> list[str]:
    return [f"  … and {count - LISTED} more {noun}"] if count > LISTED else []


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
