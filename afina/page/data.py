"""A comparison's report as plain JSON: rows, curves, examples, answers, prompts, and each run."""

from collections.abc import Mapping, Sequence
from typing import Any

from afina.comparing import Compared
from afina.evaluation.advice import advise
from afina.evaluation.compare import Entry, labels
from afina.evaluation.grades import grades
from afina.evaluation.report import answer
from afina.formats import kept_spread
from afina.solver import Value, Values
from afina.store.order import made_of
from afina.store.prompts import prompts_of
from afina.store.store import Store

LONGEST = 2_000  # characters of an input or a prompt that are shown
MADE = ("losses", "scores", "best_step", "steps")  # shown of a run's making
TRIAL = ("number", "parent", "how", "score", "low", "high", "n", "calls")


def report_data(store: Store, compared: Compared, *, inputs: bool = True) -> dict[str, Any]:
    """All that a report tells, with the names of the runs it comes from.

    Without ``inputs`` it tells nothing that stands in the data's inputs, neither of the rows that
    were answered nor of those that a prompt shows.
    """
    found = compared.comparison
    names = labels(compared.entries)
    scored = [
        (name, entry) for name, entry in zip(names, compared.entries, strict=True) if entry.reports
    ]
    runs = [run for entry in (*compared.entries, *compared.smaller) for run in entry.runs]
    return {
        **found.to_json(),
        "name": compared.name,
        "lineup": compared.lineup.to_json(),
        "advice": list(advise(found)),
        "rows": [
            {"label": row.label, "runs": list(row.runs), **row.to_json()} for row in found.rows
        ],
        "unfit": [vars(each) for each in compared.unfit],
        "runs": {run: run_facts(store, run, inputs=inputs) for run in runs},
        "examples": examples(compared, scored, inputs=inputs),
        "answers": {name: answers(entry) for name, entry in scored},
    }


def run_facts(store: Store, name: str, *, inputs: bool = True) -> dict[str, object]:
    """What is shown of a run."""
    run = store.run(name)
    made = made_of(run)
    return {
        "method": run.method,
        "model": run.model,
        "seed": run.seed,
        "settings": dict(run.settings),
        "seconds": run.seconds,
        **{key: made[key] for key in MADE if key in made},
        **({"format_spread": spread.to_json()} if (spread := kept_spread(run)) else {}),
        "trials": [{key: each.get(key) for key in TRIAL} for each in made.get("trials", ())],
        "prompts": {
            version.name: prompt_text(version.content, inputs=inputs)
            for version in prompts_of(store, name)
        },
    }


def prompt_text(content: Mapping[str, Any], *, inputs: bool = True) -> str:
    """A prompt as text for people: instruction, system part, user template, examples."""
    parts = [
        ("instruction", content["instruction"]),
        ("system", content["system"]),
        ("user", content["user"]),
    ]
    shown = [
        (f"example {number}", "\n".join(f"{k}: {v}" for k, v in both.items()))
        for number, each in enumerate(content["demonstrations"], 1)
        for both in [{**(each["inputs"] if inputs else {}), **each["outputs"]}]
    ]
    return cut("\n\n".join(f"# {name}\n{text}" for name, text in (*parts, *shown)), 10 * LONGEST)


def examples(
    compared: Compared, scored: Sequence[tuple[str, Entry]], *, inputs: bool
) -> list[dict[str, object]]:
    """The examples, with their inputs or without, in the order of the reports."""
    if not scored:
        return []
    given = {example.id: example.inputs if inputs else {} for example in compared.task.dev}
    return [
        {"id": row.id, "inputs": shown_inputs(given[row.id]), "wanted": plain(row.wanted)}
        for row in scored[0][1].reports[0].rows
    ]


def shown_inputs(inputs: Values) -> dict[str, str]:
    """Inputs as texts that are not too long to show."""
    return {name: cut(plain(value), LONGEST) for name, value in inputs.items()}


def answers(entry: Entry) -> list[list[object]]:
    """A method's first seed's answers, each with its score over seeds and why it is missing."""
    first = entry.reports[0]
    found: list[list[object]] = []
    for row, grade in zip(first.rows, grades(entry.reports), strict=True):
        got = answer(row.prediction, first.field)
        reason = cut(row.prediction.reason, LONGEST)
        found.append([None if got is None else plain(got), grade, *([reason] if reason else [])])
    return found


def plain(value: Value) -> str:
    """A value as text."""
    if isinstance(value, list):
        return "; ".join(
            each if isinstance(each, str) else f"{each.label} {each.start}–{each.end}"
            for each in value
        )
    return str(value)


def cut(text: str, most: int) -> str:
    """A text, or its beginning where it is longer.

    >>> cut("abcdef", 3)
    'abc… (6 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
