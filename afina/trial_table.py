"""The trials of a search: a tree of candidates under the ones they were made from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from afina.errors import ArtefactError, InputError
from afina.store.run import Run

TRIALS = "trials.json"


def read_trials(run: Run) -> dict[str, Any]:
    """What a run's search tried, so far or in all.

    Raises:
        InputError: the run searched nothing.
        ArtefactError: what it kept is damaged.
    """
    assert run.folder is not None
    path = Path(run.folder) / TRIALS
    if not path.is_file():
        raise InputError(
            f"expected a run that searched for a prompt, got {run.name!r}, {run.method}; "
            "it has no trials"
        )
    try:
        found = json.loads(path.read_bytes())
        return {**found, "trials": list(found["trials"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; run it again, calls are replayed") from (
            error
        )


def trial_tree(found: Mapping[str, Any]) -> RenderableType:
    """The trials as a tree, the best marked, and what they are worth."""
    nodes: dict[int, Tree] = {}
    roots: list[RenderableType] = []
    for trial in found["trials"]:
        text = Text(trial_line(trial), style="bold" if trial["number"] == found["best"] else "")
        parent = nodes.get(trial["parent"])
        if parent is None:
            nodes[trial["number"]] = Tree(text)
            roots.append(nodes[trial["number"]])
        else:
            nodes[trial["number"]] = parent.add(text)
    return Group(*roots, Text("\n".join(endings(found))))


def trial_line(trial: Mapping[str, Any]) -> str:
    """A trial in a line: its number, score with interval and n, and how it was made.

    >>> trial_line({"number": 2, "score": None, "how": "merged with 1", "calls": 9})
    '2  not scored  merged with 1'
    """
    if trial["score"] is None:
        return f"{trial['number']}  not scored  {trial['how']}"
    missing = f", {trial['missing']} missing" if trial["missing"] else ""
    return (
        f"{trial['number']}  {trial['score']:.4f} [{trial['low']:.4f}, {trial['high']:.4f}], "
        f"n = {trial['n']}{missing}  {trial['how']}  after {trial['calls']} calls"
    )


def endings(found: Mapping[str, Any]) -> list[str]:
    """How the search ended, how far its best score is flattered, and what it has to beat."""
    ended = {"done": "it came to its end", "calls": "its calls were made"}
    how = ended.get(found["ended"], "its budget was spent")
    lines = [f"the best is {found['best']}; {found['calls']} calls, {how}"]
    if "optimism" in found:
        lines.append(
            f"the best of so many is flattered by about {found['optimism']:.4f}: expect "
            f"{found['expected']:.4f} on other rows"
        )
    lines += [
        f"beside it on dev: {each['name']} {each['score']:.4f} [{each['low']:.4f}, "
        f"{each['high']:.4f}], n = {each['n']}"
        for each in found.get("baselines", ())
        if each["score"] is not None
    ]
    return [*lines, *found["notes"]]
