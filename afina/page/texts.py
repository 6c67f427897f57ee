"""The report in formats for other tools: Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from afina.task.table import disarmed

Facts = Mapping[str, Any]  # plain JSON
COLUMNS = (
    *("label", "model", "score", "low", "high", "n", "missing", "seeds", "seconds", "calls"),
    *("tokens", "cost", "parameters", "bytes", "runs", "error"),
)
LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def json_text(facts: Facts) -> str:
    """All facts."""
    return json.dumps(facts, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def csv_text(facts: Facts) -> str:
    """A line a row of the table; cells that a spreadsheet would compute are disarmed."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in facts["rows"]:
        writer.writerow([disarmed(cell(row[name])) for name in COLUMNS])
    return out.getvalue()


def cell(value: object) -> object:
    """A value of one cell."""
    return " ".join(value) if isinstance(value, list) else value


def markdown_text(facts: Facts) -> str:
    """Title, advice, table, verdicts, runs."""
    lines = [
        f"# {marked(facts['task'])}: {facts['metric']} on {facts['split']}",
        "",
        marked(" ".join(facts["advice"])),
        "",
        "| method | score [95 %] | n | missing | seeds | seconds | tokens | cost $ | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(markdown_row(row) for row in facts["rows"]),
        "",
        *(f"- {marked(verdict_text(each))}" for each in facts["verdicts"]),
        *(f"- left out: {marked(unfit_text(each))}" for each in facts["unfit"]),
        "",
        f"The sealed test has been opened {facts['test_openings']} times. Kept as {facts['name']}.",
    ]
    return "\n".join(lines) + "\n"


def markdown_row(row: Facts) -> str:
    """A line of the table."""
    cells = [
        marked(row["label"]),
        marked(score_text(row)),
        *(f"{row[name]:g}" for name in ("n", "missing", "seeds")),
        f"{row['seconds']:.1f}",
        f"{row['tokens']:,}",
        f"{row['cost']:.4g}",
        marked(" ".join(row["runs"])),
    ]
    return f"| {' | '.join(cells)} |"


def score_text(row: Facts) -> str:
    """A score with its interval, or why there is none."""
    if row["score"] is None:
        return str(row["error"]) or "none"
    low, high = row["low"], row["high"]
    bounds = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    return f"{row['score']:.3f}{bounds}"


def verdict_text(found: Facts) -> str:
    """A verdict in words."""
    words = str(found["verdict"]).replace("A better", "the first is better")
    words = words.replace("B better", "the second is better")
    pair = f"{found['a']}, {found['b']}"
    if found["difference"] is None:
        return f"{pair}: {words}"
    numbers = "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**found)
    return f"{pair}: {numbers}, {words}"


def unfit_text(each: Facts) -> str:
    """What was left out, and why."""
    return f"{each['method']} on {each['model']}: {each['reason']}"


def marked(text: str) -> str:
    r"""A text that Markdown leaves as it is.

    >>> print(marked("a_b | <c>"))
    a\_b \| \<c\>
    """
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))


def latex_text(facts: Facts) -> str:
    """A table for a paper, with booktabs."""
    rows = [
        " & ".join(
            [
                latex(row["label"]),
                latex(score_text(row)),
                f"{row['n']}",
                f"{row['seeds']}",
                f"{row['seconds']:.1f}",
                f"{row['parameters']:,}",
            ]
        )
        + r" \\"
        for row in facts["rows"]
    ]
    return "\n".join(
        [
            f"% {' '.join(facts['name'].split())}; runs stand in the JSON report",
            r"\begin{tabular}{lrrrrr}",
            r"\toprule",
            rf"method & {latex(facts['metric'])} [95\,\%] & n & seeds & seconds & parameters \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def latex(text: str) -> str:
    r"""A text that LaTeX prints as it is.

    >>> print(latex("50 % of a_b"))
    50 \% of a\_b
    """
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))


FORMATS: dict[str, Callable[[Facts], str]] = {
    ".json": json_text,
    ".csv": csv_text,
    ".md": markdown_text,
    ".tex": latex_text,
}
