"""Evidence for writers: rows with what is wanted of a prompt, labelled or only run."""

from collections.abc import Sequence

from afina.program.proposing import cases, labelled, wanted_cases
from afina.program.scored import Mark
from afina.program.search import Candidate, Search
from afina.task.example import Example


def known_rows(search: Search, candidate: Candidate, rows: Sequence[Example]) -> Sequence[Mark]:
    """Marks of rows for those prompts that the rows have no labels for; none if they have.

    Raises:
        BudgetError: no calls are left.
        CallError: the model is out.
    """
    prompts = candidate.program.prompts.values()
    if all(len(labelled(prompt, rows)) == len(rows) for prompt in prompts):
        return []
    return search.taught(candidate, rows).marks


def told(candidate: Candidate, name: str, rows: Sequence[Example], marks: Sequence[Mark]) -> str:
    """Rows as cases of a prompt: labelled where they can be, else as they were run."""
    prompt = candidate.program.prompts[name]
    if own := labelled(prompt, rows):
        return wanted_cases(prompt, own)
    ids = {row.id for row in rows}
    return cases(prompt, name, [mark for mark in marks if mark.example.id in ids])
