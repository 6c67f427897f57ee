"""What is found in a task's data, as text for people and as JSON."""

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from afina.task.check import TaskCheck

LISTED = 20  # rejected rows and leaks that are listed one by one


def task_text(found: TaskCheck) -> RenderableType:
    """What ``afina check`` says of a task."""
    lines = [f"{found.name}: {_short(str(found.signature))}, scored by {found.metric}"]
    for split, rows in found.rows.items():
        dropped = found.dropped.get(split, 0)
        note = f", {dropped} more dropped because they leak" if dropped else ""
        lines.append(f"  {split}: {rows} rows{note}{_labels(found.labels.get(split, {}))}")
    leak = {"refuse": "leak", "drop": "dropped", "allow": "let through"}[found.leak_rule]
    lines += _listed("rejected", found.rejected)
    lines += _listed(leak, found.leaks)
    lines += [f"  fault: {fault}" for fault in found.faults]
    lines += [f"  warning: {warning}" for warning in found.warnings]
    lines.append("ready" if found.usable else f"not ready: {_mend(found)}")
    return Text("\n".join(lines))


def _listed(noun: str, things: Sequence[object]) -> list[str]:
    more = len(things) - LISTED
    rest = [f"  … and {more} more {noun}; --json lists all"] if more > 0 else []
    return [f"  {noun}: {thing}" for thing in things[:LISTED]] + rest


def _mend(found: TaskCheck) -> str:
    wrong = {"rejected rows": found.rejected, "faults": found.faults}
    if found.leak_rule == "refuse":
        wrong["leaks"] = found.leaks
    counts = [f"{len(things)} {noun}" for noun, things in wrong.items() if things]
    return f"mend {' and '.join(counts)}, listed above"


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


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
