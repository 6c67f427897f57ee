"""Format spread: how far a written prompt's score moves by its layout alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from afina.comparing import FATAL, Compared
from afina.disk import Disk, replace_file
from afina.errors import AfinaError
from afina.hard.layouts import layouts
from afina.hard.prompt_solver import PromptSolver
from afina.keeping import report_on, solver_of
from afina.models import Models
from afina.store.order import read_facts
from afina.store.run import Run
from afina.store.store import Store
from afina.task.task import Task

FILE = "formats.json"  # in a run's folder


@dataclass(frozen=True)
class Spread:
    """The scores on dev of one prompt in several layouts, by name; the first is as it was tuned."""

    scores: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """The spread as plain JSON."""
        return {
            "low": min(self.scores.values()),
            "high": max(self.scores.values()),
            "layouts": [{"name": name, "score": score} for name, score in self.scores.items()],
        }

    def __str__(self) -> str:
        low, high = min(self.scores.values()), max(self.scores.values())
        return f"{low:.3f} to {high:.3f} in {len(self.scores)} equivalent layouts"


def spreads(store: Store, compared: Compared, models: Models) -> dict[str, Spread]:
    """The spread of each row's first run whose prompt can be laid out anew, by run; and keep it.

    Raises:
        BudgetError: the budget is spent; layouts that were scored are replayed next time.
    """
    found = {}
    for entry in compared.entries:
        for name in entry.runs[:1]:
            run = store.run(name)
            spread = kept_spread(run) or measured(store, run, compared.task, models)
            if spread is not None:
                found[name] = spread
    return found


def kept_spreads(store: Store, compared: Compared) -> dict[str, Spread]:
    """The spreads that were measured before, by run."""
    runs = [name for entry in compared.entries for name in entry.runs[:1]]
    found = {name: kept_spread(store.run(name)) for name in runs}
    return {name: spread for name, spread in found.items() if spread is not None}


def measured(store: Store, run: Run, task: Task, models: Models) -> Spread | None:
    """Score a run's prompt in each layout; None where it has none that can be laid out."""
    try:
        solver = solver_of(run, models)
        if not isinstance(solver, PromptSolver):
            return None
        reports = {
            name: report_on(store, replace(solver, prompt=prompt), task, task.dev, "dev")
            for name, prompt in layouts(solver.prompt).items()
        }
    except FATAL:
        raise
    except AfinaError:
        return None
    spread = Spread({name: each.score for name, each in reports.items() if each.score is not None})
    if not spread.scores:
        return None
    assert run.folder is not None
    replace_file(run.folder / FILE, json.dumps(dict(spread.scores)).encode(), Disk())
    return spread


def kept_spread(run: Run) -> Spread | None:
    """What was measured before; None where nothing was."""
    assert run.folder is not None
    path = run.folder / FILE
    return Spread(read_facts(path, Disk())) if path.is_file() else None
