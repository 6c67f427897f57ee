"""Gathering examples for prompts: turns of traces that scored well, and labelled rows."""

import json
import random
from collections.abc import Mapping, Sequence

from afina.program.program import Program
from afina.program.proposing import labelled, turns_shown
from afina.program.scored import Mark
from afina.program.search import Candidate, Search
from afina.task.example import Example

BATCH = 16  # rows run at once while traces are gathered


def mixed(examples: Sequence[Example], order: random.Random) -> list[Example]:
    """Examples in an order drawn."""
    return order.sample(list(examples), len(examples))


def good_marks(
    search: Search,
    candidate: Candidate,
    rows: Sequence[Example],
    *,
    wanted: int,
    keep: int,
    good: float = 1.0,
) -> list[Mark]:
    """Marks of rows that score well, until there are enough; ``keep`` calls are left for others."""
    found: list[Mark] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        if search.purse.left - search.cost(candidate, len(batch)) < keep:
            break
        marks = search.taught(candidate, batch).marks
        found += [mark for mark in marks if mark.score is not None and mark.score >= good]
        if len(found) >= wanted:
            break
    return found


def drawn_sets(
    program: Program,
    good: Sequence[Mark],
    rows: Sequence[Example],
    *,
    shots: int,
    order: random.Random,
) -> Mapping[str, Sequence[Example]]:
    """For each prompt turns of good traces, and labelled rows where those are too few.

    A prompt that reads what another wrote has no labelled rows: the program's rows lack it.
    """
    found: dict[str, Sequence[Example]] = {}
    for name, prompt in program.prompts.items():
        own = turns_shown(program, good, name)
        known = {inputs_of(each) for each in own}
        rest = [each for each in labelled(prompt, rows) if inputs_of(each) not in known]
        chosen = some(own, shots, order)
        found[name] = [*chosen, *some(rest, shots - len(chosen), order)]
    return found


def some(examples: Sequence[Example], count: int, order: random.Random) -> list[Example]:
    """Examples drawn as they come: what is frequent in the data is frequent among them."""
    return order.sample(list(examples), max(0, min(count, len(examples))))


def inputs_of(example: Example) -> str:
    """An example's inputs as a text that tells them from others."""
    return json.dumps(dict(example.inputs), sort_keys=True)
