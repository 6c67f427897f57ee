"""Prompt tuning beside its yardsticks on real data, three seeds; goes on where it stopped.

    python -m benchmarks real_data            all comparisons, then the table
    python -m benchmarks.real_data mr         one of them

Runs are kept in benchmarks/.runs; the table is benchmarks/real_data.md.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from afina.comparing import compare
from afina.evaluation.compare import Comparison, Verdict
from afina.evaluation.comparison_row import ComparisonRow
from afina.store.store import Store
from afina.training.watch import Progress, Watch
from benchmarks.machine import machine

HERE = Path(__file__).parent
PACKAGES = ("afina", "torch", "transformers")
SHARED = HERE.parent.parent / "shared" / "data"
STORIES = str(SHARED / "model_stories260k" / "hf")
MINILM = "builtin:minilm"
NOTE = (
    "Scores are of dev, which also chose the stopping point and the heads of prompt tuning and the "
    "strength of the linear probe. Seconds are wall time of one thread beside other work: they "
    "bound the cost, they do not measure it. The sealed tests were not opened."
)
YARDSTICKS = ("majority", "linear-probe", "prompt-tuning")


@dataclass(frozen=True)
class Case:
    """One comparison."""

    task: str
    model: str = MINILM
    methods: tuple[str, ...] = YARDSTICKS
    settings: dict[str, dict[str, object]] = field(default_factory=dict)
    seeds: int = 3


CASES = {
    "uci_sentiment": Case("uci_sentiment"),
    "mr": Case("mr"),
    "mr-once": Case(
        "mr",
        methods=(*YARDSTICKS, "full-fine-tuning"),
        settings={"full-fine-tuning": {"epochs": 2}},
        seeds=1,
    ),
    "banking77": Case("banking77"),
    "clinc150": Case("clinc150"),
    "stories": Case(
        "uci_sentiment",
        STORIES,
        ("majority", "zero-shot", "few-shot", "prompt-tuning"),
        {"few-shot": {"shots": 4}},
    ),
}


def run(case: Case) -> Comparison:
    """Tune and compare, with a line of progress now and then."""

    def show(step: Progress) -> None:
        if step.step % 100 == 0:
            line = f"{case.task} {step.step}/{step.steps} loss {step.loss:.3f} best {step.best:.4f}"
            print(line, file=sys.stderr, flush=True)

    return compare(
        Store(HERE / ".runs"),
        str(HERE / "tasks" / case.task),
        case.methods,
        model=case.model,
        seeds=case.seeds,
        settings=case.settings,
        watch=Watch(show=show),
    )


def row_line(row: ComparisonRow) -> str:
    if row.score is None or row.low is None or row.high is None:
        return f"| {row.method} | {row.error} | | | | |"
    deviation = "–" if row.seed_deviation is None else f"{row.seed_deviation:.4f}"
    return (
        f"| {row.method} | {row.score:.4f} [{row.low:.4f}, {row.high:.4f}] | {len(row.seeds)} "
        f"± {deviation} | {row.n} | {row.parameters:,} | {row.seconds:.0f} |"
    )


def verdict_line(found: Verdict) -> str:
    if found.difference is None or found.low is None or found.high is None:
        return f"- {found.a}, {found.b}: {found.verdict}"
    return (
        f"- {found.a} − {found.b}: {found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]: "
        f"{found.verdict}"
    )


def section(name: str, case: Case, found: Comparison) -> str:
    model = "model_stories260k" if case.model == STORIES else case.model
    lines = [
        f"## {name}: {found.metric} on dev, {model}",
        "",
        "| method | score [95 %] | seeds ± deviation | n | trained | seconds, all seeds |",
        "| --- | --- | --- | --- | --- | --- |",
        *[row_line(row) for row in found.rows],
        "",
        *[verdict_line(each) for each in found.verdicts],
        "",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Run the cases named, or all, and write the table of every case that has been run."""
    kept = HERE / ".runs" / "sections.json"
    sections: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
    for name in arguments or list(CASES):
        sections[name] = section(name, CASES[name], run(CASES[name]))
        kept.write_text(json.dumps(sections))
        body = "\n".join(sections[each] for each in CASES if each in sections)
        title = "# Prompt tuning and its yardsticks on real data"
        text = "\n\n".join([title, machine(PACKAGES), NOTE, body])
        (HERE / "real_data.md").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
