"""The whole comparison, as a user runs it, with its pages; goes on where it stopped.

    python -m benchmarks comparison                 all of them
    python -m benchmarks.comparison mr front_desk   some of them

Runs are kept in benchmarks/.runs/comparison; comparison_<name>.html and .md lie beside this file.
Data that is not ours stays out of the pages.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from afina.comparing import Compared, compare_lineup
from afina.lineup import Lineup
from afina.lm.journal import Journal
from afina.models import Models
from afina.page.writing import write_report
from afina.store.store import Store
from afina.training.watch import Watch

HERE = Path(__file__).parent
HOME = HERE / ".runs" / "comparison"
MINILM, DECODER = "builtin:minilm", "builtin:tiny-decoder"
TRAINED = ("prompt-tuning", "prefix-tuning", "p-tuning-v2")
# Two dev scores without a gain end a training, where six are usual: for the time it takes here.
SHORT = {"patience": 2}


@dataclass(frozen=True)
class Case:
    """A comparison, and whether its data may stand in the page."""

    lineup: Lineup
    ours: bool = False


CASES = {
    name: Case(
        Lineup(
            f"benchmarks/tasks/{name}",
            ("majority", "linear-probe", *trained),
            (MINILM,),
            seeds=3,
            sizes=(64, 0),
            settings=dict.fromkeys(trained, SHORT),
        )
    )
    for name, trained in (("mr", TRAINED), ("banking77", ("prompt-tuning", "p-tuning-v2")))
} | {
    "front_desk": Case(
        Lineup(
            "examples/front_desk",
            (
                *("majority", "linear-probe", "zero-shot", "few-shot", "bootstrap", "racing"),
                *("knn", "prompt-tuning", "prefix-tuning", "p-tuning-v2", "full-fine-tuning"),
            ),
            (DECODER,),
            seeds=3,
            sizes=(64, 0),
        ),
        ours=True,
    )
}


def compared(case: Case) -> Compared:
    """Tune what is not kept yet, and set all side by side."""
    models = Models(journal=Journal(HOME / "journal.sqlite"))
    watch = Watch(note=lambda text: print(text, file=sys.stderr, flush=True))
    return compare_lineup(Store(HOME), case.lineup, models=models, watch=watch)


def main(arguments: list[str]) -> None:
    """Run the cases named, or all, and write their pages."""
    for name in arguments or list(CASES):
        case = CASES[name]
        found = compared(case)
        for suffix in (".html", ".md"):
            path = HERE / f"comparison_{name}{suffix}"
            write_report(Store(HOME), found, path, inputs=case.ours)


if __name__ == "__main__":
    main(sys.argv[1:])
